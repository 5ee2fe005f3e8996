import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * A catalogue of what JMS 1.1 promises, through ActiveMQ's own client, against whatever broker listens.
 *
 * <pre>java Catalogue tcp://host:port user password [CASE...]</pre>
 *
 * Each case throws where the promise is broken; what it returns is what the broker answered, so that two
 * brokers can be compared. One line a case: "NAME&lt;tab&gt;ok|FAILED&lt;tab&gt;answer".
 */
public final class Catalogue {
    interface Case {
        String run() throws Exception;
    }

    static final long SOON = 10_000, NEVER = 300;

    final String url, user, password;
    private final Map<String, Case> cases = new LinkedHashMap<>();
    private final List<Connection> opened = new ArrayList<>();
    private final String run = Long.toString(System.nanoTime(), 36);
    private String current = "";
    private int names = 0;

    Catalogue(String url, String user, String password) {
        this.url = url;
        this.user = user;
        this.password = password;
        new MessageCases(this);
        new AckCases(this);
        new TransactionCases(this);
        new TopicCases(this);
        new ConsumerCases(this);
        new ProducerCases(this);
    }

    void add(String name, Case one) {
        cases.put(name, one);
    }

    /** A name that nobody used before. */
    String fresh(String what) {
        return "test." + current + "." + what + "." + run + ++names;
    }

    Connection connect() throws JMSException {
        return connect("");
    }

    Connection connect(String options) throws JMSException {
        Connection connection = unstarted(options);
        connection.start();
        return connection;
    }

    Connection unstarted(String options) throws JMSException {
        Connection connection = new ActiveMQConnectionFactory(user, password, url + options).createConnection();
        opened.add(connection);
        return connection;
    }

    // ---- what cases say

    static void check(boolean good, String what) {
        if (!good) throw new AssertionError(what);
    }

    static void same(Object expected, Object actual, String what) {
        if (expected == null ? actual != null : !expected.equals(actual))
            throw new AssertionError(what + ": expected " + expected + ", got " + actual);
    }

    static String refused(Case one) throws Exception {
        try {
            one.run();
        } catch (JMSException refusal) {
            return refusal.getClass().getSimpleName();
        }
        throw new AssertionError("nothing was refused");
    }

    static Message next(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(SOON);
        check(message != null, "a message is missing");
        return message;
    }

    static String text(MessageConsumer consumer) throws JMSException {
        return ((TextMessage) next(consumer)).getText();
    }

    static void nothing(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(NEVER);
        check(message == null, "a message too many: " + message);
    }

    static String texts(MessageConsumer consumer, int count) throws JMSException {
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < count; ++i) all.append(i == 0 ? "" : ",").append(text(consumer));
        return all.toString();
    }

    static void send(Session session, javax.jms.Destination to, String... texts) throws JMSException {
        MessageProducer producer = session.createProducer(to);
        for (String text : texts) producer.send(session.createTextMessage(text));
        producer.close();
    }

    // ---- running

    boolean perform(List<String> wanted) {
        boolean good = true;
        for (Map.Entry<String, Case> one : cases.entrySet()) {
            if (!wanted.isEmpty() && !wanted.contains(one.getKey())) continue;
            current = one.getKey();
            String line;
            try {
                line = "ok\t" + one.getValue().run();
            } catch (Throwable broken) {
                good = false;
                StringBuilder where = new StringBuilder();
                for (StackTraceElement frame : broken.getStackTrace())
                    if (frame.getFileName() != null && frame.getFileName().endsWith("Cases.java"))
                        where.append(" at ").append(frame.getFileName()).append(':').append(frame.getLineNumber());
                line = "FAILED\t" + (broken.toString() + where).replace('\n', ' ').replace('\t', ' ');
            }
            System.out.println(current + "\t" + line);
            for (Connection connection : opened) {
                try {
                    connection.close();
                } catch (JMSException gone) {
                    // it was closed by the case, or refused
                }
            }
            opened.clear();
        }
        return good;
    }

    public static void main(String[] arguments) {
        Catalogue catalogue = new Catalogue(arguments[0], arguments[1], arguments[2]);
        boolean good = catalogue.perform(List.of(arguments).subList(3, arguments.length));
        System.exit(good ? 0 : 1);
    }
}
