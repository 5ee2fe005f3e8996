import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQSession;
import org.apache.activemq.command.ActiveMQDestination;

/**
 * ActiveMQ's client, told what to do: a line of JSON in, a line of JSON out, until the input ends. One process
 * serves a whole test, since a JVM takes a second to start.
 *
 * <pre>
 * {"do":"open","as":"a","url":...,"user":...,"password":...,"transacted":false,"individual":false}
 * {"do":"send","as":"a","queue":...,"messages":[MESSAGE...]}        MESSAGE: see PeerMessages
 * {"do":"receive","as":"a","queue":...,"count":3,"ms":5000}         answers {"messages":[...]}
 * {"do":"acknowledge","as":"a"}                                    what "receive" gave last, of an "individual" session
 * {"do":"temporary","as":"a"}                                      answers {"address":"temp-queue://..."}
 * {"do":"commit","as":"a"} rollback close
 * {"do":"crowd","url":...,"user":...,"password":...,"count":1000,"queue":...}   answers {"got":1000}
 * </pre>
 *
 * A queue is a name or temp-queue://NAME. What fails answers {"error":"JMSSecurityException","text":...}.
 */
public final class Peer {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** One client: a connection, its session, its consumers, which stay. */
    private static final class Client {
        final Connection connection;
        final Session session;
        final Map<String, MessageConsumer> consumers = new HashMap<>();
        Message last;

        Client(JsonNode order) throws JMSException {
            connection = connect(order);
            boolean transacted = order.path("transacted").asBoolean();
            int mode = order.path("individual").asBoolean() ? ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE : Session.AUTO_ACKNOWLEDGE;
            session = connection.createSession(transacted, transacted ? Session.SESSION_TRANSACTED : mode);
        }

        /** Addresses of temporary queues are taken as they are. */
        static Destination destination(String queue) {
            return ActiveMQDestination.createDestination(queue, ActiveMQDestination.QUEUE_TYPE);
        }

        MessageConsumer consumer(String queue) throws JMSException {
            if (!consumers.containsKey(queue)) consumers.put(queue, session.createConsumer(destination(queue)));
            return consumers.get(queue);
        }
    }

    private final Map<String, Client> clients = new HashMap<>();

    private static Connection connect(JsonNode order) throws JMSException {
        Connection connection = new ActiveMQConnectionFactory(order.get("user").asText(), order.get("password").asText(),
                                                              order.get("url").asText()).createConnection();
        try {
            connection.start();
        } catch (JMSException refused) {
            connection.close();
            throw refused;
        }
        return connection;
    }

    private void send(Client client, JsonNode order) throws Exception {
        MessageProducer producer = client.session.createProducer(Client.destination(order.get("queue").asText()));
        for (JsonNode one : order.get("messages")) {
            Message message = PeerMessages.read(client.session, one);
            producer.send(message, one.path("persistent").asBoolean(true) ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT,
                          one.path("priority").asInt(4), one.path("ttl").asLong(0));
        }
        producer.close();
    }

    private void receive(Client client, JsonNode order, ObjectNode answer) throws Exception {
        MessageConsumer consumer = client.consumer(order.get("queue").asText());
        ArrayNode messages = answer.putArray("messages");
        for (int count = order.get("count").asInt(); count > 0; --count) {
            Message message = consumer.receive(order.get("ms").asLong());
            if (message == null) return;
            client.last = message;
            messages.add(PeerMessages.write(message));
        }
    }

    /** Many connections at once; each sends a message to a queue of its own and takes it. */
    private int crowd(JsonNode order) throws Exception {
        List<Client> all = new ArrayList<>();
        int got = 0;
        try {
            for (int i = 0; i < order.get("count").asInt(); ++i) all.add(new Client(order));
            for (int i = 0; i < all.size(); ++i) {
                Session session = all.get(i).session;
                MessageProducer producer = session.createProducer(session.createQueue(order.get("queue").asText() + i));
                producer.send(session.createTextMessage("mine " + i));
            }
            for (int i = 0; i < all.size(); ++i) {
                Message message = all.get(i).consumer(order.get("queue").asText() + i).receive(20_000);
                if (message instanceof javax.jms.TextMessage && ("mine " + i).equals(((javax.jms.TextMessage) message).getText())) ++got;
            }
        } finally {
            crowd = all;
        }
        return got;
    }

    private List<Client> crowd = new ArrayList<>();

    private ObjectNode obey(JsonNode order) throws Exception {
        ObjectNode answer = JSON.createObjectNode();
        String what = order.get("do").asText();
        Client client = clients.get(order.path("as").asText());
        switch (what) {
            case "open" -> clients.put(order.get("as").asText(), new Client(order));
            case "send" -> send(client, order);
            case "receive" -> receive(client, order, answer);
            case "acknowledge" -> client.last.acknowledge();
            case "temporary" -> answer.put("address", client.session.createTemporaryQueue().toString());
            case "commit" -> client.session.commit();
            case "rollback" -> client.session.rollback();
            case "close" -> clients.remove(order.get("as").asText()).connection.close();
            case "crowd" -> answer.put("got", crowd(order));
            case "disperse" -> {
                for (Client one : crowd) one.connection.close();
                crowd = new ArrayList<>();
            }
            default -> throw new IllegalArgumentException("unknown order " + what);
        }
        return answer;
    }

    public static void main(String[] arguments) throws Exception {
        Peer peer = new Peer();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer;
            try {
                answer = peer.obey(JSON.readTree(line));
            } catch (Exception failed) {
                answer = JSON.createObjectNode().put("error", failed.getClass().getSimpleName()).put("text", "" + failed.getMessage());
            }
            out.println(JSON.writeValueAsString(answer));
        }
        System.exit(0);
    }
}
