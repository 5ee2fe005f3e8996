import static javax.jms.Session.AUTO_ACKNOWLEDGE;

import java.util.Collections;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.Set;
import javax.jms.Connection;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.Session;
import javax.jms.TextMessage;

/** Who gets what: selectors, browsers, groups, exclusive consumers, pull. */
final class ConsumerCases {
    private final Catalogue c;

    ConsumerCases(Catalogue catalogue) {
        c = catalogue;
        c.add("selector", this::selector);
        c.add("selectorRefused", this::selectorRefused);
        c.add("browser", this::browser);
        c.add("browserOfMany", this::browserOfMany);
        c.add("groups", this::groups);
        c.add("exclusive", this::exclusive);
        c.add("consumerPriority", this::consumerPriority);
        c.add("pull", this::pull);
        c.add("compositeConsumer", this::compositeConsumer);
        c.add("shares", this::shares);
        c.add("receiveNoWait", this::receiveNoWait);
        c.add("stopped", this::stopped);
    }

    private Session session(String options) throws Exception {
        return c.connect(options).createSession(false, AUTO_ACKNOWLEDGE);
    }

    private String selector() throws Exception {
        Session session = session("");
        Queue queue = session.createQueue(c.fresh("q"));
        MessageProducer producer = session.createProducer(queue);
        for (int i = 0; i < 6; ++i) {
            TextMessage message = session.createTextMessage("" + i);
            message.setIntProperty("n", i);
            message.setStringProperty("colour", i % 2 == 0 ? "red" : "blue");
            message.setJMSType("kind");
            producer.send(message);
        }
        MessageConsumer blue =
            session.createConsumer(queue, "colour IN ('blue', 'green') AND n BETWEEN 2 AND 9 AND JMSType LIKE 'k%'");
        String got = Catalogue.texts(blue, 2);
        Catalogue.nothing(blue);
        blue.close();
        return got + " rest " + Catalogue.texts(session.createConsumer(queue), 4);
    }

    private String selectorRefused() throws Exception {
        Session session = session("");
        Queue queue = session.createQueue(c.fresh("q"));
        return Catalogue.refused(() -> session.createConsumer(queue, "a = = 1").toString());
    }

    private String browser() throws Exception {
        Session session = session("");
        Queue queue = session.createQueue(c.fresh("q"));
        QueueBrowser empty = session.createBrowser(queue);
        Catalogue.check(!empty.getEnumeration().hasMoreElements(), "empty");
        MessageProducer producer = session.createProducer(queue);
        for (int i = 0; i < 5; ++i) {
            TextMessage message = session.createTextMessage("" + i);
            message.setIntProperty("n", i);
            producer.send(message);
        }
        StringBuilder all = new StringBuilder();
        for (Object one : Collections.list(session.createBrowser(queue).getEnumeration()))
            all.append(((TextMessage) one).getText());
        all.append(' ');
        for (Object one : Collections.list(session.createBrowser(queue, "n > 2").getEnumeration()))
            all.append(((TextMessage) one).getText());
        Message first = Catalogue.next(session.createConsumer(queue));
        Catalogue.check(!first.getJMSRedelivered(), "looking takes nothing");
        return all.toString();
    }

    private String browserOfMany() throws Exception {
        Session session = session("?jms.prefetchPolicy.queueBrowserPrefetch=20");
        Queue queue = session.createQueue(c.fresh("q"));
        String[] texts = new String[250];
        for (int i = 0; i < texts.length; ++i) texts[i] = "" + i;
        Catalogue.send(session, queue, texts);
        int seen = 0;
        for (Enumeration<?> all = session.createBrowser(queue).getEnumeration(); all.hasMoreElements(); ++seen)
            Catalogue.same("" + seen, ((TextMessage) all.nextElement()).getText(), "in order");
        Catalogue.same(250, seen, "all");
        return "" + seen;
    }

    private String groups() throws Exception {
        Session a = session("?jms.prefetchPolicy.all=1"), b = session("?jms.prefetchPolicy.all=1");
        Queue queue = a.createQueue(c.fresh("q"));
        MessageConsumer[] consumers = {a.createConsumer(queue), b.createConsumer(queue)};
        MessageProducer producer = a.createProducer(queue);
        for (int i = 0; i < 24; ++i) {
            TextMessage message = a.createTextMessage("" + i);
            message.setStringProperty("JMSXGroupID", "g" + i % 4);
            message.setIntProperty("JMSXGroupSeq", i / 4 + 1);
            producer.send(message);
        }
        Set<String> owners = new HashSet<>();
        int[] last = new int[4];
        int got = 0, firsts = 0;
        for (int quiet = 0; got < 24 && quiet < 50; ++quiet) {
            for (int who = 0; who < 2; ++who) {
                TextMessage message = (TextMessage) consumers[who].receive(100);
                if (message == null) continue;
                quiet = 0;
                ++got;
                String group = message.getStringProperty("JMSXGroupID");
                owners.add(group + "@" + who);
                if (message.getBooleanProperty("JMSXGroupFirstForConsumer")) ++firsts;
                int number = group.charAt(1) - '0', sequence = message.getIntProperty("JMSXGroupSeq");
                Catalogue.check(sequence == last[number] + 1, "in order within the group");
                last[number] = sequence;
            }
        }
        Catalogue.same(24, got, "all");
        Catalogue.same(4, owners.size(), "each group has one consumer: " + owners);
        return "first of group " + firsts;
    }

    private String exclusive() throws Exception {
        Connection first = c.connect();
        Session a = first.createSession(false, AUTO_ACKNOWLEDGE), b = session("");
        Queue queue = a.createQueue(c.fresh("q") + "?consumer.exclusive=true");
        MessageConsumer one = a.createConsumer(queue), two = b.createConsumer(queue);
        Queue plain = b.createQueue(queue.getQueueName().replace("?consumer.exclusive=true", ""));
        Catalogue.send(b, plain, "1", "2", "3", "4");
        Catalogue.same("1,2,3,4", Catalogue.texts(one, 4), "all to the first");
        Catalogue.nothing(two);
        first.close();
        Catalogue.send(b, plain, "5");
        return Catalogue.text(two);
    }

    private String consumerPriority() throws Exception {
        Session session = session("");
        String name = c.fresh("q");
        MessageConsumer low = session.createConsumer(session.createQueue(name + "?consumer.priority=1"));
        MessageConsumer high = session.createConsumer(session.createQueue(name + "?consumer.priority=5"));
        Catalogue.send(session, session.createQueue(name), "1", "2");
        Catalogue.same("1,2", Catalogue.texts(high, 2), "the higher one");
        Catalogue.nothing(low);
        return "1,2";
    }

    private String pull() throws Exception {
        Session session = session("?jms.prefetchPolicy.all=0"), other = session("?jms.prefetchPolicy.all=0");
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue), second = other.createConsumer(queue);
        Catalogue.check(consumer.receiveNoWait() == null, "nothing there");
        Catalogue.nothing(consumer);
        Catalogue.send(session, queue, "1", "2", "3");
        Catalogue.same("1", Catalogue.text(consumer), "one");
        Catalogue.same("2", Catalogue.text(second), "nothing was prefetched");
        Message third = consumer.receiveNoWait();
        Catalogue.check(third != null, "at once");
        Catalogue.nothing(consumer);
        Thread later = new Thread(() -> {
            try {
                Thread.sleep(200);
                Catalogue.send(other, queue, "4");
            } catch (Exception broken) {
                broken.printStackTrace();
            }
        });
        later.start();
        String fourth = ((TextMessage) consumer.receive()).getText();
        later.join();
        return ((TextMessage) third).getText() + "," + fourth;
    }

    private String compositeConsumer() throws Exception {
        Session session = session("");
        String a = c.fresh("a"), b = c.fresh("b"), t = c.fresh("t");
        MessageConsumer consumer = session.createConsumer(session.createQueue(a + "," + b + ",topic://" + t));
        Catalogue.send(session, session.createQueue(a), "a");
        Catalogue.same("a", Catalogue.text(consumer), "a");
        Catalogue.send(session, session.createTopic(t), "t");
        Catalogue.same("t", Catalogue.text(consumer), "t");
        Catalogue.send(session, session.createQueue(b), "b");
        return Catalogue.text(consumer);
    }

    private String shares() throws Exception {
        Session a = session("?jms.prefetchPolicy.all=1"), b = session("?jms.prefetchPolicy.all=1");
        Queue queue = a.createQueue(c.fresh("q"));
        MessageConsumer one = a.createConsumer(queue), two = b.createConsumer(queue);
        Catalogue.send(a, queue, "1", "2", "3", "4");
        Set<String> got = new HashSet<>();
        for (int i = 0; i < 2; ++i) {
            got.add(Catalogue.text(one));
            got.add(Catalogue.text(two));
        }
        Catalogue.same(4, got.size(), "each once");
        return "4";
    }

    private String receiveNoWait() throws Exception {
        Session session = session("");
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue);
        Catalogue.check(consumer.receiveNoWait() == null, "nothing there");
        Catalogue.send(session, queue, "1");
        return Catalogue.text(consumer);
    }

    private String stopped() throws Exception {
        Connection connection = c.connect();
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue(c.fresh("q"));
        MessageConsumer consumer = session.createConsumer(queue);
        connection.stop();
        Catalogue.send(session, queue, "1");
        Catalogue.nothing(consumer);
        connection.start();
        return Catalogue.text(consumer);
    }
}
