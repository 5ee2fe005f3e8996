import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import javax.jms.Connection;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.XAConnection;
import javax.jms.XASession;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQXAConnectionFactory;

/**
 * A coordinator by hand, over XAResource: one line in is one step, one line out its answer.
 * Xa URL USER PASSWORD
 *   work NAME          start, take one message of xa.in, send "invoice of" it to xa.out, end
 *   take NAME          start, take one message of xa.in, end
 *   large NAME         start, send 5 MiB, end
 *   empty NAME         start, end
 *   suspended NAME     start, send "1", suspend, send "outside" beside it, resume, send "2", end
 *   prepare|commit|one|rollback|forget NAME
 *   recover            the names of what is prepared, in order
 *   receive QUEUE      what comes, by a connection of its own; "nothing" after 0.5 s without
 */
public final class Xa {
    private final XAConnection connection;
    private final Connection plain;  // whose sessions need no transaction
    private final XASession session;
    private final XAResource resource;
    private MessageConsumer consumer;

    private Xa(String url, String user, String password) throws Exception {
        connection = new ActiveMQXAConnectionFactory(user, password, url).createXAConnection();
        connection.start();
        plain = new ActiveMQConnectionFactory(user, password, url).createConnection();
        plain.start();
        session = connection.createXASession();
        resource = session.getXAResource();
    }

    private static final class Id implements Xid {
        private final String name;

        Id(String name) {
            this.name = name;
        }

        @Override public int getFormatId() {
            return 4711;
        }

        @Override public byte[] getGlobalTransactionId() {
            return name.getBytes();
        }

        @Override public byte[] getBranchQualifier() {
            return new byte[] {1, 2};
        }
    }

    private void send(Session by, String text) throws Exception {
        by.createProducer(by.createQueue("xa.out")).send(by.createTextMessage(text));
    }

    private String take() throws Exception {
        if (consumer == null) consumer = session.createConsumer(session.createQueue("xa.in"));
        TextMessage message = (TextMessage) consumer.receive(20_000);
        if (message == null) throw new IllegalStateException("nothing came");
        return message.getText() + " (delivery " + message.getIntProperty("JMSXDeliveryCount") + ")";
    }

    private String work(String name, boolean answers) throws Exception {
        resource.start(new Id(name), XAResource.TMNOFLAGS);
        String taken = take();
        if (answers) send(session, "invoice of " + taken.substring(0, taken.indexOf(' ')));
        resource.end(new Id(name), XAResource.TMSUCCESS);
        return "took " + taken;
    }

    private String suspended(String name) throws Exception {
        Xid id = new Id(name);
        resource.start(id, XAResource.TMNOFLAGS);
        send(session, "1");
        resource.end(id, XAResource.TMSUSPEND);
        send(plain.createSession(false, Session.AUTO_ACKNOWLEDGE), "outside");
        resource.start(id, XAResource.TMRESUME);
        send(session, "2");
        resource.end(id, XAResource.TMSUCCESS);
        return "done";
    }

    private String recover() throws Exception {
        List<String> names = new ArrayList<>();
        for (Xid id : resource.recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN)) {
            if (id.getFormatId() != 4711 || id.getBranchQualifier().length != 2) return "another id";
            names.add(new String(id.getGlobalTransactionId()));
        }
        return "prepared " + String.join(",", names);
    }

    private static String shown(String text) {
        return text.length() < 100 ? text : text.length() + " characters";
    }

    private String receive(String queue) throws Exception {
        Session reader = plain.createSession(false, Session.AUTO_ACKNOWLEDGE);
        try {
            MessageConsumer from = reader.createConsumer(reader.createQueue(queue));
            List<String> texts = new ArrayList<>();
            for (TextMessage m = (TextMessage) from.receive(500); m != null; m = (TextMessage) from.receive(500))
                texts.add(shown(m.getText()) + (m.getJMSRedelivered() ? " again" : ""));
            return texts.isEmpty() ? "nothing" : String.join(",", texts);
        } finally {
            reader.close();
        }
    }

    private String step(String what, String name) throws Exception {
        Xid id = new Id(name);
        switch (what) {
            case "work":
                return work(name, true);
            case "take":
                return work(name, false);
            case "suspended":
                return suspended(name);
            case "large":
                resource.start(id, XAResource.TMNOFLAGS);
                send(session, "x".repeat(5 << 20));
                resource.end(id, XAResource.TMSUCCESS);
                return "done";
            case "empty":
                resource.start(id, XAResource.TMNOFLAGS);
                resource.end(id, XAResource.TMSUCCESS);
                return "done";
            case "prepare":
                return "prepared " + resource.prepare(id);
            case "commit":
                resource.commit(id, false);
                return "done";
            case "one":
                resource.commit(id, true);
                return "done";
            case "rollback":
                resource.rollback(id);
                return "done";
            case "forget":
                resource.forget(id);
                return "done";
            case "recover":
                return recover();
            case "receive":
                return receive(name);
            default:
                return "what is " + what + "?";
        }
    }

    public static void main(String[] args) throws Exception {
        Xa xa = new Xa(args[0], args[1], args[2]);
        System.out.println("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.trim().split(" ");
            String answer;
            try {
                answer = xa.step(words[0], words.length > 1 ? words[1] : "none");
            } catch (XAException e) {
                answer = "xa " + e.errorCode;
            } catch (Exception e) {
                answer = "error " + e;
            }
            System.out.println(answer.replace('\n', ' '));
        }
        System.exit(0);
    }
}
