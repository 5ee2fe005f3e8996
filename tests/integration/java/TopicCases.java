import static javax.jms.Session.AUTO_ACKNOWLEDGE;

import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TemporaryTopic;
import javax.jms.TextMessage;
import javax.jms.Topic;

/** Topics, durable subscriptions, temporary destinations. */
final class TopicCases {
    private final Catalogue c;

    TopicCases(Catalogue catalogue) {
        c = catalogue;
        c.add("topic", this::topic);
        c.add("topicPattern", this::pattern);
        c.add("noLocal", this::noLocal);
        c.add("durable", this::durable);
        c.add("durableChanged", this::durableChanged);
        c.add("clientIdInUse", this::clientIdInUse);
        c.add("requestReplyQueue", () -> requestReply(false));
        c.add("requestReplyTopic", () -> requestReply(true));
        c.add("temporaryIsOnesOwn", this::temporaryIsOnesOwn);
        c.add("temporaryDeleted", this::temporaryDeleted);
    }

    private Session session() throws Exception {
        return c.connect().createSession(false, AUTO_ACKNOWLEDGE);
    }

    private String topic() throws Exception {
        Session session = session();
        Topic topic = session.createTopic(c.fresh("t"));
        Catalogue.send(session, topic, "nobody");
        MessageConsumer a = session.createConsumer(topic), b = session().createConsumer(topic);
        Catalogue.send(session, topic, "1", "2");
        Catalogue.same("1,2", Catalogue.texts(a, 2), "a");
        Catalogue.same("1,2", Catalogue.texts(b, 2), "b");
        Catalogue.nothing(a);
        return "1,2";
    }

    private String pattern() throws Exception {
        Session session = session();
        String base = c.fresh("t");
        MessageConsumer one = session.createConsumer(session.createTopic(base + ".*"));
        MessageConsumer all = session.createConsumer(session.createTopic(base + ".>"));
        Catalogue.send(session, session.createTopic(base + ".a"), "a");
        Catalogue.send(session, session.createTopic(base + ".a.b"), "a.b");
        Catalogue.same("a", Catalogue.text(one), "one level");
        Catalogue.nothing(one);
        return Catalogue.texts(all, 2);
    }

    private String noLocal() throws Exception {
        Session session = session();
        Topic topic = session.createTopic(c.fresh("t"));
        MessageConsumer consumer = session.createConsumer(topic, null, true);
        Catalogue.send(session, topic, "own");
        Catalogue.send(session(), topic, "other");
        return Catalogue.text(consumer);
    }

    private Connection named(String id) throws Exception {
        Connection connection = c.unstarted("");
        connection.setClientID(id);
        connection.start();
        return connection;
    }

    private String durable() throws Exception {
        String id = c.fresh("client");
        Connection connection = named(id);
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Topic topic = session.createTopic(c.fresh("t"));
        MessageConsumer first = session.createDurableSubscriber(topic, "s");
        Catalogue.send(session, topic, "1");
        Catalogue.same("1", Catalogue.text(first), "while it is there");
        connection.close();
        Session sender = session();
        Catalogue.send(sender, topic, "2", "3");
        connection = named(id);
        session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        MessageConsumer again = session.createDurableSubscriber(topic, "s");
        String got = Catalogue.texts(again, 2);
        Session busy = session;
        String inUse = Catalogue.refused(() -> { busy.unsubscribe("s"); return ""; });
        again.close();
        session.unsubscribe("s");
        Catalogue.send(sender, topic, "4");
        MessageConsumer fresh = session.createDurableSubscriber(topic, "s");
        Catalogue.nothing(fresh);
        fresh.close();
        session.unsubscribe("s");
        String unknown = Catalogue.refused(() -> { busy.unsubscribe("never"); return ""; });
        return got + " " + inUse + " " + unknown;
    }

    /** Another selector is another subscription. */
    private String durableChanged() throws Exception {
        Connection connection = named(c.fresh("client"));
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Topic topic = session.createTopic(c.fresh("t"));
        session.createDurableSubscriber(topic, "s", "n = 1", false).close();
        MessageProducer producer = session.createProducer(topic);
        for (int n = 1; n <= 2; ++n) {
            TextMessage message = session.createTextMessage("" + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        MessageConsumer changed = session.createDurableSubscriber(topic, "s", "n = 2", false);
        Catalogue.nothing(changed);
        TextMessage message = session.createTextMessage("new");
        message.setIntProperty("n", 2);
        producer.send(message);
        String got = Catalogue.text(changed);
        changed.close();
        session.unsubscribe("s");
        return got;
    }

    private String clientIdInUse() throws Exception {
        String id = c.fresh("client");
        Connection first = named(id);
        String refused = Catalogue.refused(() -> named(id).getMetaData().toString());
        first.close();
        named(id);
        return refused;
    }

    private String requestReply(boolean topic) throws Exception {
        Session server = session(), client = session();
        Destination requests = server.createQueue(c.fresh("requests"));
        MessageConsumer incoming = server.createConsumer(requests);
        Destination replies = topic ? client.createTemporaryTopic() : client.createTemporaryQueue();
        MessageConsumer answers = client.createConsumer(replies);
        MessageProducer asking = client.createProducer(requests);
        for (int i = 0; i < 5; ++i) {
            Message request = client.createTextMessage("ask " + i);
            request.setJMSReplyTo(replies);
            request.setJMSCorrelationID("c" + i);
            asking.send(request);
            Message got = Catalogue.next(incoming);
            Catalogue.same(replies, got.getJMSReplyTo(), "reply-to");
            Message answer = server.createTextMessage("answer " + i);
            answer.setJMSCorrelationID(got.getJMSCorrelationID());
            server.createProducer(null).send(got.getJMSReplyTo(), answer);
            Message back = Catalogue.next(answers);
            Catalogue.same("c" + i, back.getJMSCorrelationID(), "correlation");
            Catalogue.same("answer " + i, ((TextMessage) back).getText(), "text");
        }
        return "5";
    }

    private String temporaryIsOnesOwn() throws Exception {
        TemporaryQueue queue = session().createTemporaryQueue();
        TemporaryTopic topic = session().createTemporaryTopic();
        Session other = session();
        return Catalogue.refused(() -> other.createConsumer(queue).toString()) + " " +
            Catalogue.refused(() -> other.createConsumer(topic).toString());
    }

    private String temporaryDeleted() throws Exception {
        Session session = session(), other = session();
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(queue);
        String busy = Catalogue.refused(() -> { queue.delete(); return ""; });
        Catalogue.send(session, queue, "1");
        Catalogue.same("1", Catalogue.text(consumer), "own sends");
        consumer.close();
        queue.delete();
        return busy + " " + Catalogue.refused(() -> { Catalogue.send(other, queue, "2"); return ""; });
    }
}
