import static javax.jms.Session.AUTO_ACKNOWLEDGE;

import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ScheduledMessage;

/** Sending: priorities, time to live, delays, several destinations; and logging in. */
final class ProducerCases {
    private final Catalogue c;

    ProducerCases(Catalogue catalogue) {
        c = catalogue;
        c.add("priorities", this::priorities);
        c.add("timeToLive", this::timeToLive);
        c.add("delay", this::delay);
        c.add("repeats", this::repeats);
        c.add("periodAlone", this::periodAlone);
        c.add("badCron", this::badCron);
        c.add("manageSchedules", this::manageSchedules);
        c.add("compositeSend", this::compositeSend);
        c.add("asyncSend", () -> many("?jms.useAsyncSend=true", DeliveryMode.PERSISTENT));
        c.add("windowedSend", () -> many("?jms.useAsyncSend=true&jms.producerWindowSize=20000", DeliveryMode.PERSISTENT));
        c.add("nonPersistent", () -> many("", DeliveryMode.NON_PERSISTENT));
        c.add("anonymousProducer", this::anonymousProducer);
        c.add("wrongPassword", () -> login("wrong"));
        c.add("noPassword", () -> login(null));
        c.add("badName", this::badName);
        c.add("toAdvisory", this::toAdvisory);
        c.add("keepAlive", this::keepAlive);
    }

    private Session session() throws Exception {
        return c.connect().createSession(false, AUTO_ACKNOWLEDGE);
    }

    private String priorities() throws Exception {
        Session session = session();
        Queue queue = session.createQueue(c.fresh("q"));
        MessageProducer producer = session.createProducer(queue);
        for (int priority : new int[] {1, 9, 4, 9, 0})
            producer.send(session.createTextMessage("" + priority), DeliveryMode.PERSISTENT, priority, 0);
        return Catalogue.texts(session.createConsumer(queue), 5);
    }

    private String timeToLive() throws Exception {
        Session session = session();
        Queue queue = session.createQueue(c.fresh("q"));
        MessageProducer producer = session.createProducer(queue);
        producer.setTimeToLive(50);
        producer.send(session.createTextMessage("late"));
        producer.setTimeToLive(60_000);
        producer.send(session.createTextMessage("in time"));
        Thread.sleep(150);
        MessageConsumer consumer = session.createConsumer(queue);
        String got = Catalogue.text(consumer);
        Catalogue.nothing(consumer);
        return got;
    }

    private String delay() throws Exception {
        Session session = session();
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue);
        Message message = session.createTextMessage("later");
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_DELAY, 700);
        long sent = System.nanoTime();
        session.createProducer(queue).send(message);
        Catalogue.same("later", Catalogue.text(consumer), "text");
        long ms = (System.nanoTime() - sent) / 1_000_000;
        Catalogue.check(ms >= 690, "not before its time: " + ms);
        return "later";
    }

    private static Message scheduled(Session session, String text, long delay, long period, int repeat) throws Exception {
        Message message = session.createTextMessage(text);
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_DELAY, delay);
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_PERIOD, period);
        message.setIntProperty(ScheduledMessage.AMQ_SCHEDULED_REPEAT, repeat);
        return message;
    }

    /** So many times more after the first; each a message of its own that names the one schedule. */
    private String repeats() throws Exception {
        Session session = session();
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue);
        session.createProducer(queue).send(scheduled(session, "again", 600, 200, 2));
        java.util.Set<String> ids = new java.util.HashSet<>(), schedules = new java.util.HashSet<>();
        for (int i = 0; i < 3; ++i) {
            Message got = Catalogue.next(consumer);
            ids.add(got.getJMSMessageID());
            schedules.add(got.getStringProperty("scheduledJobId"));
            Catalogue.check(!got.propertyExists(ScheduledMessage.AMQ_SCHEDULED_PERIOD), "it is not scheduled again");
        }
        Catalogue.nothing(consumer);
        return ids.size() + " of " + schedules.size();
    }

    /** Without a repeat a period is a delay. */
    private String periodAlone() throws Exception {
        Session session = session();
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue);
        session.createProducer(queue).send(scheduled(session, "once", 0, 900, 0));
        String got = Catalogue.text(consumer);
        Catalogue.nothing(consumer);
        return got;
    }

    /** Some are refused by the client already (as an IllegalArgumentException), some by the bus. */
    private String badCron() throws Exception {
        Session session = session();
        for (String cron : new String[] {"every monday", "5-1 * * * *"}) {
            Message message = session.createTextMessage("never");
            try {
                message.setStringProperty(ScheduledMessage.AMQ_SCHEDULED_CRON, cron);
                session.createProducer(session.createQueue(c.fresh("q"))).send(message);
            } catch (javax.jms.JMSException | IllegalArgumentException e) {
                continue;
            }
            throw new AssertionError("taken: " + cron);
        }
        return "refused";
    }

    private static Message order(Session session, String action) throws Exception {
        Message order = session.createMessage();
        order.setStringProperty(ScheduledMessage.AMQ_SCHEDULER_ACTION, action);
        return order;
    }

    /** How many schedules the broker tells of. */
    private static int browse(Session session, MessageProducer management) throws Exception {
        javax.jms.Destination answers = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(answers);
        Message browse = order(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_BROWSE);
        browse.setJMSReplyTo(answers);
        management.send(browse);
        int count = 0;
        for (Message one; (one = consumer.receive(1000)) != null; ++count)
            Catalogue.check(one.getStringProperty(ScheduledMessage.AMQ_SCHEDULED_ID) != null, "it says which");
        consumer.close();
        return count;
    }

    /** By messages to the management topic: look, remove the one whose copy was received, remove the rest. */
    private String manageSchedules() throws Exception {
        Session session = session();
        Queue queue = session.createQueue(c.fresh("q"));
        MessageProducer management =
            session.createProducer(session.createTopic(ScheduledMessage.AMQ_SCHEDULER_MANAGEMENT_DESTINATION));
        MessageProducer producer = session.createProducer(queue);
        producer.send(scheduled(session, "soon", 100, 3_600_000, 5));
        for (int i = 0; i < 2; ++i) producer.send(scheduled(session, "late", 3_600_000, 3_600_000, 5));
        String id = Catalogue.next(session.createConsumer(queue)).getStringProperty("scheduledJobId");
        String found = "" + browse(session, management);
        Message remove = order(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVE);
        remove.setStringProperty(ScheduledMessage.AMQ_SCHEDULED_ID, id);
        management.send(remove);
        found += browse(session, management);
        management.send(order(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVEALL));
        return found + browse(session, management);
    }

    private String compositeSend() throws Exception {
        Session session = session();
        String a = c.fresh("a"), b = c.fresh("b"), t = c.fresh("t");
        MessageConsumer topic = session.createConsumer(session.createTopic(t));
        Catalogue.send(session, session.createQueue(a + "," + b + ",topic://" + t), "x");
        Message got = Catalogue.next(session.createConsumer(session.createQueue(a)));
        Catalogue.same(session.createQueue(a), got.getJMSDestination(), "destination");
        return Catalogue.text(session.createConsumer(session.createQueue(b))) + Catalogue.text(topic);
    }

    private String many(String options, int mode) throws Exception {
        Session session = c.connect(options).createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        MessageProducer producer = session.createProducer(queue);
        for (int i = 0; i < 1000; ++i)
            producer.send(session.createTextMessage("" + i), mode, 4, 0);
        MessageConsumer consumer = session.createConsumer(queue);
        for (int i = 0; i < 1000; ++i) Catalogue.same("" + i, Catalogue.text(consumer), "in order");
        Catalogue.nothing(consumer);
        return "1000";
    }

    private String anonymousProducer() throws Exception {
        Session session = session();
        Queue a = session.createQueue(c.fresh("a")), b = session.createQueue(c.fresh("b"));
        MessageProducer producer = session.createProducer(null);
        producer.send(a, session.createTextMessage("a"));
        producer.send(b, session.createTextMessage("b"));
        return Catalogue.text(session.createConsumer(a)) + Catalogue.text(session.createConsumer(b));
    }

    private String login(String password) throws Exception {
        return Catalogue.refused(() -> {
            Connection connection = new ActiveMQConnectionFactory(c.user, password, c.url).createConnection();
            try {
                connection.start();
            } finally {
                connection.close();
            }
            return "";
        });
    }

    private String badName() throws Exception {
        Session session = session();
        return Catalogue.refused(() -> { Catalogue.send(session, session.createQueue("x".repeat(300)), "x"); return ""; });
    }

    private String toAdvisory() throws Exception {
        Session session = session();
        return Catalogue.refused(() -> {
            Catalogue.send(session, session.createTopic("ActiveMQ.Advisory.TempQueue"), "x");
            return "";
        });
    }

    /** A connection that has nothing to say stays. */
    private String keepAlive() throws Exception {
        Session session = c.connect("?wireFormat.maxInactivityDuration=400&wireFormat.maxInactivityDurationInitalDelay=400")
            .createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue);
        Thread.sleep(2000);
        Catalogue.send(session, queue, "still here");
        return Catalogue.text(consumer);
    }
}
