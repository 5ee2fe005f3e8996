import static javax.jms.Session.AUTO_ACKNOWLEDGE;
import static javax.jms.Session.SESSION_TRANSACTED;

import java.util.Arrays;
import javax.jms.Connection;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import javax.jms.XASession;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.apache.activemq.ActiveMQXAConnectionFactory;

/** Local transactions, and XA ones. */
final class TransactionCases {
    private final Catalogue c;

    TransactionCases(Catalogue catalogue) {
        c = catalogue;
        c.add("commit", this::commit);
        c.add("rollback", this::rollback);
        c.add("bothWays", this::bothWays);
        c.add("closedUncommitted", this::closedUncommitted);
        c.add("twoSessions", this::twoSessions);
        c.add("largeTransaction", this::largeTransaction);
        c.add("xaOnePhase", this::xaOnePhase);
        c.add("xaTwoPhase", this::xaTwoPhase);
    }

    private MessageConsumer watcher(Queue queue) throws Exception {
        return c.connect().createSession(false, AUTO_ACKNOWLEDGE).createConsumer(queue);
    }

    private String commit() throws Exception {
        Session session = c.connect().createSession(true, SESSION_TRANSACTED);
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer other = watcher(queue);
        Catalogue.send(session, queue, "1", "2");
        Catalogue.nothing(other);
        session.commit();
        return Catalogue.texts(other, 2);
    }

    private String rollback() throws Exception {
        Session session = c.connect("?jms.redeliveryPolicy.initialRedeliveryDelay=0").createSession(true, 0);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "never");
        session.rollback();
        Catalogue.send(session, queue, "1", "2");
        session.commit();
        MessageConsumer consumer = session.createConsumer(queue);
        Catalogue.same("1,2", Catalogue.texts(consumer, 2), "first");
        session.rollback();
        TextMessage again = (TextMessage) Catalogue.next(consumer);
        Catalogue.same("1", again.getText(), "the same again, in order");
        Catalogue.check(again.getJMSRedelivered(), "redelivered");
        Catalogue.same("2", Catalogue.text(consumer), "the second too");
        session.commit();
        Catalogue.nothing(consumer);
        return "count " + again.getIntProperty("JMSXDeliveryCount");
    }

    /** Takes from one queue and gives to another, as one. */
    private String bothWays() throws Exception {
        Connection connection = c.connect("?jms.redeliveryPolicy.initialRedeliveryDelay=0");
        Session session = connection.createSession(true, 0);
        Queue in = session.createQueue(c.fresh("in")), out = session.createQueue(c.fresh("out"));
        Catalogue.send(session, in, "1");
        session.commit();
        MessageConsumer consumer = session.createConsumer(in), other = watcher(out);
        for (int i = 0; i < 3; ++i) {
            Catalogue.send(session, out, Catalogue.text(consumer) + "." + i);
            if (i < 2) session.rollback();
        }
        session.commit();
        String got = Catalogue.text(other);
        Catalogue.nothing(other);
        connection.close();
        Catalogue.nothing(watcher(in));
        return got;
    }

    private String closedUncommitted() throws Exception {
        Connection connection = c.connect();
        Session session = connection.createSession(true, 0);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "1");
        session.commit();
        Catalogue.same("1", Catalogue.text(session.createConsumer(queue)), "taken");
        Catalogue.send(session, queue, "never");
        session.close();
        MessageConsumer other = watcher(queue);
        Message back = Catalogue.next(other);
        Catalogue.check(back.getJMSRedelivered(), "it was seen");
        Catalogue.nothing(other);
        return ((TextMessage) back).getText();
    }

    private String twoSessions() throws Exception {
        Connection connection = c.connect();
        Session a = connection.createSession(true, 0), b = connection.createSession(true, 0);
        Queue queue = a.createQueue(c.fresh("q"));
        Catalogue.send(a, queue, "a");
        Catalogue.send(b, queue, "b");
        b.commit();
        MessageConsumer other = watcher(queue);
        Catalogue.same("b", Catalogue.text(other), "only what was committed");
        a.rollback();
        Catalogue.nothing(other);
        return "b";
    }

    /** More than a prefetch within one transaction. */
    private String largeTransaction() throws Exception {
        Session session = c.connect("?jms.prefetchPolicy.all=10").createSession(true, 0);
        Queue queue = session.createQueue(c.fresh("q"));
        String[] texts = new String[200];
        for (int i = 0; i < texts.length; ++i) texts[i] = "" + i;
        Catalogue.send(session, queue, texts);
        session.commit();
        MessageConsumer consumer = session.createConsumer(queue);
        Catalogue.same(String.join(",", texts), Catalogue.texts(consumer, 200), "all in one");
        session.commit();
        session.close();
        Catalogue.nothing(watcher(queue));
        return "200";
    }

    private static Xid xid(int number) {
        byte[] bytes = {1, 2, (byte) number};
        return new Xid() {
            @Override public int getFormatId() { return 4711; }
            @Override public byte[] getGlobalTransactionId() { return bytes; }
            @Override public byte[] getBranchQualifier() { return new byte[] {9}; }
        };
    }

    private XASession xaSession() throws Exception {
        javax.jms.XAConnection connection =
            new ActiveMQXAConnectionFactory(c.user, c.password, c.url).createXAConnection();
        connection.start();
        return connection.createXASession();
    }

    private String xaOnePhase() throws Exception {
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Queue queue = session.createQueue(c.fresh("q"));
        Xid xid = xid((int) System.nanoTime());
        resource.start(xid, XAResource.TMNOFLAGS);
        Catalogue.send(session, queue, "1");
        resource.end(xid, XAResource.TMSUCCESS);
        MessageConsumer other = watcher(queue);
        Catalogue.nothing(other);
        resource.commit(xid, true);
        return Catalogue.text(other);
    }

    private String xaTwoPhase() throws Exception {
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer other = watcher(queue);
        Xid xid = xid((int) System.nanoTime());
        resource.start(xid, XAResource.TMNOFLAGS);
        Catalogue.send(session, queue, "1");
        resource.end(xid, XAResource.TMSUCCESS);
        Catalogue.same(XAResource.XA_OK, resource.prepare(xid), "vote");
        Catalogue.nothing(other);
        Xid[] prepared = resource.recover(XAResource.TMSTARTRSCAN);
        Catalogue.same(1, prepared.length, "one is prepared");
        Catalogue.check(Arrays.equals(xid.getGlobalTransactionId(), prepared[0].getGlobalTransactionId()), "the one");
        resource.commit(xid, false);
        Catalogue.same(0, resource.recover(XAResource.TMSTARTRSCAN).length, "nothing is prepared any more");
        String got = Catalogue.text(other);
        try {
            resource.rollback(xid);
        } catch (XAException unknown) {
            return got + " " + unknown.errorCode;
        }
        return got + " known";
    }
}
