import static javax.jms.Session.AUTO_ACKNOWLEDGE;
import static javax.jms.Session.CLIENT_ACKNOWLEDGE;
import static javax.jms.Session.DUPS_OK_ACKNOWLEDGE;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.Connection;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQSession;

/** Acknowledgement, recover and redelivery outside of transactions. */
final class AckCases {
    private final Catalogue c;

    AckCases(Catalogue catalogue) {
        c = catalogue;
        c.add("auto", () -> consumed(AUTO_ACKNOWLEDGE));
        c.add("dupsOk", () -> consumed(DUPS_OK_ACKNOWLEDGE));
        c.add("client", this::client);
        c.add("recover", this::recover);
        c.add("individual", this::individual);
        c.add("closedConsumer", this::closedConsumer);
        c.add("prefetchedIsNotRedelivered", this::prefetched);
        c.add("listener", this::listener);
        c.add("listenerThrows", this::listenerThrows);
        c.add("poison", this::poison);
        c.add("optimizedAcks", this::optimizedAcks);
        c.add("expiresInTheClient", this::expiresInTheClient);
    }

    /** What one connection has consumed another does not get. */
    private String consumed(int mode) throws Exception {
        Connection connection = c.connect();
        Session session = connection.createSession(false, mode);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "1", "2", "3", "4");
        Catalogue.same("1,2", Catalogue.texts(session.createConsumer(queue), 2), "first");
        connection.close();
        Session other = c.connect().createSession(false, AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = other.createConsumer(queue);
        TextMessage third = (TextMessage) Catalogue.next(consumer);
        Catalogue.same("3", third.getText(), "third");
        Catalogue.same("4", Catalogue.text(consumer), "fourth");
        Catalogue.nothing(consumer);
        return "redelivered " + third.getJMSRedelivered();
    }

    private String client() throws Exception {
        Connection connection = c.connect();
        Session session = connection.createSession(false, CLIENT_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "1", "2", "3");
        MessageConsumer consumer = session.createConsumer(queue);
        Catalogue.next(consumer);
        Catalogue.next(consumer).acknowledge();
        Catalogue.same("3", Catalogue.text(consumer), "third");
        connection.close();
        MessageConsumer other = c.connect().createSession(false, AUTO_ACKNOWLEDGE).createConsumer(queue);
        Message third = Catalogue.next(other);
        Catalogue.check(third.getJMSRedelivered(), "seen and not acknowledged: redelivered");
        Catalogue.nothing(other);
        return "count " + third.getIntProperty("JMSXDeliveryCount");
    }

    private String recover() throws Exception {
        Session session = c.connect().createSession(false, CLIENT_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "1", "2", "3");
        MessageConsumer consumer = session.createConsumer(queue);
        Catalogue.next(consumer).acknowledge();
        Catalogue.same("2,3", Catalogue.texts(consumer, 2), "before");
        session.recover();
        TextMessage second = (TextMessage) Catalogue.next(consumer);
        Catalogue.same("2", second.getText(), "again");
        Catalogue.check(second.getJMSRedelivered(), "redelivered");
        Catalogue.same("3", Catalogue.text(consumer), "again");
        second.acknowledge();
        session.recover();
        Catalogue.nothing(consumer);
        return "count " + second.getIntProperty("JMSXDeliveryCount");
    }

    private String individual() throws Exception {
        Connection connection = c.connect();
        Session session = connection.createSession(false, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "1", "2", "3");
        MessageConsumer consumer = session.createConsumer(queue);
        Catalogue.next(consumer);
        Catalogue.next(consumer).acknowledge();
        Catalogue.next(consumer);
        connection.close();
        MessageConsumer other = c.connect().createSession(false, AUTO_ACKNOWLEDGE).createConsumer(queue);
        String left = Catalogue.texts(other, 2);
        Catalogue.same("1,3", left, "left");
        Catalogue.nothing(other);
        return left;
    }

    private String closedConsumer() throws Exception {
        Session session = c.connect().createSession(false, CLIENT_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "1", "2");
        MessageConsumer first = session.createConsumer(queue);
        Catalogue.same("1", Catalogue.text(first), "first");
        first.close();
        MessageConsumer second = session.createConsumer(queue);
        Catalogue.same("1,2", Catalogue.texts(second, 2), "order is kept");
        return "1,2";
    }

    /** Connections that had messages in their hands, unread, have not tried them. */
    private String prefetched() throws Exception {
        Connection connection = c.connect();
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        String[] texts = new String[20];
        for (int i = 0; i < texts.length; ++i) texts[i] = "" + i;
        Catalogue.send(session, queue, texts);
        for (int i = 0; i < 4; ++i) {
            Connection one = c.connect();
            Session reader = one.createSession(false, CLIENT_ACKNOWLEDGE);
            Catalogue.same("0", Catalogue.text(reader.createConsumer(queue)), "the first of round " + i);
            one.close();
        }
        MessageConsumer consumer = session.createConsumer(queue);
        Message first = Catalogue.next(consumer), second = Catalogue.next(consumer);
        Catalogue.check(first.getJMSRedelivered(), "the first was seen");
        Catalogue.same(1, second.getIntProperty("JMSXDeliveryCount"), "the second was not");
        return "counts " + first.getIntProperty("JMSXDeliveryCount") + " 1";
    }

    private String listener() throws Exception {
        Connection connection = c.unstarted("");
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        List<String> got = new ArrayList<>();
        CountDownLatch all = new CountDownLatch(50);
        session.createConsumer(queue).setMessageListener(message -> {
            try {
                got.add(((TextMessage) message).getText());
            } catch (Exception broken) {
                got.add(broken.toString());
            }
            all.countDown();
        });
        Session sender = connection.createSession(false, AUTO_ACKNOWLEDGE);
        List<String> sent = new ArrayList<>();
        for (int i = 0; i < 50; ++i) sent.add("" + i);
        Catalogue.send(sender, queue, sent.toArray(new String[0]));
        Catalogue.check(got.isEmpty(), "nothing before start");
        connection.start();
        Catalogue.check(all.await(Catalogue.SOON, TimeUnit.MILLISECONDS), "all came");
        Catalogue.same(sent, got, "in order");
        return "50";
    }

    private String listenerThrows() throws Exception {
        Connection connection = c.connect("?jms.redeliveryPolicy.initialRedeliveryDelay=10");
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        List<String> got = new ArrayList<>();
        CountDownLatch all = new CountDownLatch(3);
        session.createConsumer(queue).setMessageListener(message -> {
            try {
                got.add(((TextMessage) message).getText() + message.getJMSRedelivered());
            } catch (Exception broken) {
                got.add(broken.toString());
            }
            all.countDown();
            if (got.size() == 1) throw new IllegalStateException("on purpose");
        });
        Catalogue.send(connection.createSession(false, AUTO_ACKNOWLEDGE), queue, "1", "2");
        Catalogue.check(all.await(Catalogue.SOON, TimeUnit.MILLISECONDS), "all came: " + got);
        Catalogue.same("1false", got.get(0), "first");
        Catalogue.check(got.contains("1true"), "again: " + got);
        return got.toString();
    }

    /** The client gives up after its redeliveries: a dead letter. */
    private String poison() throws Exception {
        Connection connection =
            c.connect("?jms.redeliveryPolicy.maximumRedeliveries=2&jms.redeliveryPolicy.initialRedeliveryDelay=0");
        Session session = connection.createSession(true, 0);
        Queue queue = session.createQueue(c.fresh("q"));
        Catalogue.send(session, queue, "bad", "good");
        session.commit();
        MessageConsumer consumer = session.createConsumer(queue);
        StringBuilder counts = new StringBuilder();
        for (int i = 0; i < 3; ++i) {
            TextMessage bad = (TextMessage) Catalogue.next(consumer);
            Catalogue.same("bad", bad.getText(), "delivery " + i);
            Catalogue.same(i > 0, bad.getJMSRedelivered(), "redelivered");
            counts.append(bad.getIntProperty("JMSXDeliveryCount"));
            session.rollback();
        }
        Catalogue.same("good", Catalogue.text(consumer), "the next one");
        session.commit();
        Catalogue.nothing(consumer);
        Session other = connection.createSession(false, AUTO_ACKNOWLEDGE);
        boolean ours = other.createQueue("DLQ." + queue.getQueueName()) != null;
        Message dead = null;
        for (String name : new String[] {"DLQ." + queue.getQueueName(), "ActiveMQ.DLQ"}) {
            MessageConsumer graves = other.createConsumer(other.createQueue(name));
            for (Message m; dead == null && (m = graves.receive(Catalogue.NEVER)) != null;)
                if (((TextMessage) m).getText().equals("bad")) dead = m;
            graves.close();
        }
        Catalogue.check(ours && dead != null, "it is a dead letter");
        return counts.toString();
    }

    /** Its time runs out when it was handed over already, and nobody has looked at it. */
    private String expiresInTheClient() throws Exception {
        Connection connection = c.connect();
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue);
        javax.jms.MessageProducer producer = session.createProducer(queue);
        producer.setTimeToLive(300);
        producer.send(session.createTextMessage("late"));
        Thread.sleep(600);
        Catalogue.nothing(consumer);
        connection.close();
        Catalogue.nothing(c.connect().createSession(false, AUTO_ACKNOWLEDGE).createConsumer(queue));
        return "expired";
    }

    private String optimizedAcks() throws Exception {
        Connection connection = c.connect("?jms.optimizeAcknowledge=true&jms.prefetchPolicy.queuePrefetch=10");
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        String[] texts = new String[100];
        for (int i = 0; i < texts.length; ++i) texts[i] = "" + i;
        Catalogue.send(session, queue, texts);
        MessageConsumer consumer = session.createConsumer(queue);
        Catalogue.same(String.join(",", texts), Catalogue.texts(consumer, 100), "all of them");
        connection.close();
        Catalogue.nothing(c.connect().createSession(false, AUTO_ACKNOWLEDGE).createConsumer(queue));
        return ((ActiveMQConnection) connection).isOptimizeAcknowledge() + "";
    }
}
