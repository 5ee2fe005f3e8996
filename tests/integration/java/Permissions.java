import javax.jms.*;
import org.apache.activemq.ActiveMQConnectionFactory;

/** What one user may do: URL USER PASSWORD QUEUE TOPIC; a line each: the operation, a tab, "ok" or the exception's class. */
public final class Permissions {
    private interface Act {
        void run(Session session) throws JMSException;
    }

    private static void attempt(Connection connection, String name, Act act) {
        String outcome = "ok";
        try {
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            act.run(session);
            session.close();
        } catch (JMSException e) {
            outcome = e.getClass().getSimpleName();
        }
        System.out.println(name + "\t" + outcome);
    }

    public static void main(String[] arguments) throws Exception {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(arguments[0]);
        Connection connection = factory.createConnection(arguments[1], arguments[2]);
        connection.start();
        attempt(connection, "send", s -> s.createProducer(s.createQueue(arguments[3])).send(s.createTextMessage("x")));
        attempt(connection, "publish", s -> {
            MessageProducer producer = s.createProducer(s.createTopic(arguments[4]));
            producer.setDeliveryMode(DeliveryMode.PERSISTENT);
            producer.send(s.createTextMessage("x"));
        });
        attempt(connection, "receive", s -> s.createConsumer(s.createQueue(arguments[3])).close());
        attempt(connection, "subscribe", s -> s.createConsumer(s.createTopic(arguments[4])).close());
        attempt(connection, "browse", s -> {
            if (!s.createBrowser(s.createQueue(arguments[3])).getEnumeration().hasMoreElements()) throw new JMSException("nothing seen");
        });
        connection.close();
    }
}
