import static javax.jms.Session.AUTO_ACKNOWLEDGE;

import java.util.Arrays;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * A client that fails over while its broker is killed and started again.
 *
 * <pre>java Failover send|receive|move URL user password COUNT</pre>
 *
 * Prints a number now and then, so that who kills knows how far it is; at the end "done" and what it found.
 */
public final class Failover {
    static final int SOON = 30_000;

    final Session session;
    final Connection connection;
    final int count;

    Failover(String url, String user, String password, int count, boolean transacted) throws JMSException {
        this.count = count;
        connection = new ActiveMQConnectionFactory(user, password, url).createConnection();
        connection.start();
        session = connection.createSession(transacted, transacted ? Session.SESSION_TRANSACTED : AUTO_ACKNOWLEDGE);
    }

    static void progress(int number) {
        if (number % 50 == 0) System.out.println(number);
    }

    /** Persistent sends, each answered: what is answered is there once. */
    String send() throws JMSException {
        MessageProducer producer = session.createProducer(session.createQueue("failover"));
        for (int i = 0; i < count; ++i) {
            producer.send(session.createTextMessage("" + i));
            progress(i);
        }
        return "sent " + count;
    }

    String receive(String queue) throws JMSException {
        MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
        int[] seen = new int[count];
        int outOfOrder = 0, last = -1;
        for (int i = 0; i < count; ++i) {
            TextMessage message = (TextMessage) consumer.receive(SOON);
            if (message == null) return "missing after " + i + ": " + firstMissing(seen);
            int number = Integer.parseInt(message.getText());
            if (++seen[number] > 1) --i;
            if (number < last) ++outOfOrder;
            last = number;
            progress(i);
        }
        boolean more = consumer.receive(500) != null;
        int twice = (int) Arrays.stream(seen).filter(n -> n > 1).count();
        return "received " + count + " twice " + twice + " order " + outOfOrder + " more " + more;
    }

    static int firstMissing(int[] seen) {
        for (int i = 0; i < seen.length; ++i)
            if (seen[i] == 0) return i;
        return -1;
    }

    /** Takes from one queue and gives to the other in one transaction. One that is in doubt was told of. */
    String move() throws JMSException {
        MessageConsumer consumer = session.createConsumer(session.createQueue("failover"));
        MessageProducer producer = session.createProducer(session.createQueue("moved"));
        int moved = 0, rolledBack = 0, inDoubt = 0;
        while (moved + inDoubt < count) {
            try {
                TextMessage message = (TextMessage) consumer.receive(moved + inDoubt < count ? 3_000 : 10);
                if (message == null) break;
                producer.send(session.createTextMessage(message.getText()));
                session.commit();
                progress(++moved);
            } catch (javax.jms.TransactionRolledBackException lost) {
                ++rolledBack;
                String why = "" + lost.getMessage();
                if (why.contains("in doubt")) System.out.println("doubt " + why.length());
            } catch (JMSException lost) {
                ++rolledBack;
                session.rollback();
            }
        }
        return "moved " + moved + " rolled back " + rolledBack;
    }

    public static void main(String[] arguments) throws Exception {
        String what = arguments[0];
        Failover one = new Failover(arguments[1], arguments[2], arguments[3], Integer.parseInt(arguments[4]), what.equals("move"));
        System.out.println("connected");
        String found = what.equals("send") ? one.send() : what.equals("move") ? one.move() : one.receive(arguments.length > 5 ? arguments[5] : "failover");
        one.connection.close();
        System.out.println("done " + found);
    }
}
