import static javax.jms.Session.AUTO_ACKNOWLEDGE;

import java.util.Arrays;
import java.util.Collections;
import java.util.TreeSet;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.ObjectMessage;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;

/** Bodies, properties and headers. */
final class MessageCases {
    private final Catalogue c;

    MessageCases(Catalogue catalogue) {
        c = catalogue;
        c.add("text", this::text);
        c.add("bytes", this::bytes);
        c.add("map", this::map);
        c.add("stream", this::stream);
        c.add("object", this::object);
        c.add("plain", this::plain);
        c.add("properties", this::properties);
        c.add("headers", this::headers);
        c.add("compressed", this::compressed);
        c.add("large", this::large);
        for (String option : new String[] {"?wireFormat.tightEncodingEnabled=false", "?wireFormat.cacheEnabled=false",
                                           "?wireFormat.version=9", "?wireFormat.version=11"})
            c.add("format" + option.substring(12).replace('=', ':'), () -> formats(option));
    }

    private <T extends Message> T roundTrip(Session session, T message) throws Exception {
        Queue queue = session.createQueue(c.fresh("q"));
        session.createProducer(queue).send(message);
        @SuppressWarnings("unchecked") T back = (T) Catalogue.next(session.createConsumer(queue));
        return back;
    }

    private Session session(String options) throws Exception {
        return c.connect(options).createSession(false, AUTO_ACKNOWLEDGE);
    }

    private String text() throws Exception {
        Session session = session("");
        String all = "";
        for (String text : new String[] {"hello", "", "\u00e4\u20ac\ud83d\ude00 \0 end", null}) {
            TextMessage back = roundTrip(session, session.createTextMessage(text));
            Catalogue.same(text, back.getText(), "text");
            all += (text == null ? "null" : "" + text.length()) + " ";
        }
        return all;
    }

    private String bytes() throws Exception {
        Session session = session("");
        BytesMessage message = session.createBytesMessage();
        message.writeBoolean(true);
        message.writeLong(Long.MIN_VALUE);
        message.writeDouble(1.5);
        message.writeUTF("x\u00e4");
        message.writeBytes(new byte[] {0, 1, -1});
        BytesMessage back = roundTrip(session, message);
        Catalogue.check(back.readBoolean() && back.readLong() == Long.MIN_VALUE && back.readDouble() == 1.5, "numbers");
        Catalogue.same("x\u00e4", back.readUTF(), "UTF");
        byte[] rest = new byte[10];
        Catalogue.same(3, back.readBytes(rest), "rest");
        Catalogue.check(rest[2] == -1, "last byte");
        return "length " + back.getBodyLength();
    }

    private String map() throws Exception {
        Session session = session("");
        MapMessage message = session.createMapMessage();
        message.setBoolean("boolean", true);
        message.setByte("byte", (byte) -1);
        message.setShort("short", (short) 300);
        message.setChar("char", '\u20ac');
        message.setInt("int", Integer.MIN_VALUE);
        message.setLong("long", Long.MAX_VALUE);
        message.setFloat("float", 1.5f);
        message.setDouble("double", -2.5);
        message.setString("string", "s\u00e4");
        message.setBytes("bytes", new byte[] {1, 2});
        message.setObject("null", null);
        MapMessage back = roundTrip(session, message);
        Catalogue.same('\u20ac', back.getChar("char"), "char");
        Catalogue.same((byte) -1, back.getByte("byte"), "byte");
        Catalogue.check(Arrays.equals(new byte[] {1, 2}, back.getBytes("bytes")), "bytes");
        StringBuilder all = new StringBuilder();
        for (Object name : new TreeSet<Object>(Collections.list(back.getMapNames()))) {
            Object value = back.getObject((String) name);
            all.append(name).append(':').append(value == null ? "-" : value.getClass().getSimpleName()).append(' ');
        }
        return all.toString();
    }

    private String stream() throws Exception {
        Session session = session("");
        StreamMessage message = session.createStreamMessage();
        Object[] values = {true, (byte) 5, (short) 6, 'c', 7, 8L, 1.5f, 2.5, "text"};
        for (Object value : values) message.writeObject(value);
        message.writeBytes(new byte[] {9, 10});
        message.writeObject(null);
        StreamMessage back = roundTrip(session, message);
        for (Object value : values) Catalogue.same(value, back.readObject(), "value");
        Catalogue.check(Arrays.equals(new byte[] {9, 10}, (byte[]) back.readObject()), "bytes");
        Catalogue.same(null, back.readObject(), "null");
        return values.length + " values";
    }

    private String object() throws Exception {
        Session session = session("?jms.trustAllPackages=true");
        ObjectMessage back = roundTrip(session, session.createObjectMessage(new java.util.ArrayList<>(Arrays.asList("a", 1))));
        Catalogue.same(Arrays.asList("a", 1), back.getObject(), "object");
        return back.getObject().toString();
    }

    private String plain() throws Exception {
        Session session = session("");
        Message message = session.createMessage();
        message.setStringProperty("p", "v");
        Message back = roundTrip(session, message);
        Catalogue.same("v", back.getStringProperty("p"), "property");
        Catalogue.check(!(back instanceof TextMessage) && !(back instanceof BytesMessage), "it has no body");
        return "v";
    }

    private String properties() throws Exception {
        Session session = session("");
        TextMessage message = session.createTextMessage("x");
        message.setBooleanProperty("boolean", false);
        message.setByteProperty("byte", (byte) 1);
        message.setShortProperty("short", (short) 2);
        message.setIntProperty("int", 3);
        message.setLongProperty("long", 4);
        message.setFloatProperty("float", 5);
        message.setDoubleProperty("double", 6);
        message.setStringProperty("string", "7");
        message.setObjectProperty("null", null);
        TextMessage back = roundTrip(session, message);
        StringBuilder all = new StringBuilder();
        for (Object name : new TreeSet<Object>(Collections.list(back.getPropertyNames()))) {
            Object value = back.getObjectProperty((String) name);
            all.append(name).append('=').append(value).append(':');
            all.append(value == null ? "-" : value.getClass().getSimpleName()).append(' ');
        }
        Catalogue.check(all.toString().contains("long=4:Long") && all.toString().contains("byte=1:Byte"), all.toString());
        Catalogue.same(1, back.getIntProperty("JMSXDeliveryCount"), "JMSXDeliveryCount");
        return all.toString();
    }

    private String headers() throws Exception {
        Session session = session("");
        Queue queue = session.createQueue(c.fresh("q")), answers = session.createQueue(c.fresh("answers"));
        TextMessage message = session.createTextMessage("x");
        message.setJMSCorrelationID("c-1");
        message.setJMSReplyTo(answers);
        message.setJMSType("kind");
        MessageProducer producer = session.createProducer(queue);
        producer.send(message, DeliveryMode.NON_PERSISTENT, 7, 60_000);
        Message back = Catalogue.next(session.createConsumer(queue));
        Catalogue.same(message.getJMSMessageID(), back.getJMSMessageID(), "id");
        Catalogue.same("c-1", back.getJMSCorrelationID(), "correlation id");
        Catalogue.same(answers, back.getJMSReplyTo(), "reply-to");
        Catalogue.same(queue, back.getJMSDestination(), "destination");
        Catalogue.same("kind", back.getJMSType(), "type");
        Catalogue.same(message.getJMSTimestamp(), back.getJMSTimestamp(), "timestamp");
        Catalogue.same(message.getJMSExpiration(), back.getJMSExpiration(), "expiration");
        return back.getJMSPriority() + " " + back.getJMSDeliveryMode() + " " + back.getJMSRedelivered();
    }

    private String compressed() throws Exception {
        Connection connection = c.connect("?jms.useCompression=true");
        Session session = connection.createSession(false, AUTO_ACKNOWLEDGE);
        String text = "again and again ".repeat(10_000);
        TextMessage back = roundTrip(session, session.createTextMessage(text));
        Catalogue.same(text, back.getText(), "text");
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeBytes(new byte[50_000]);
        Catalogue.same(50_000L, roundTrip(session, bytes).getBodyLength(), "bytes");
        MapMessage map = session.createMapMessage();
        map.setString("k", text.substring(0, 30_000));
        Catalogue.same(text.substring(0, 30_000), roundTrip(session, map).getString("k"), "map");
        return "" + text.length();
    }

    private String large() throws Exception {
        Session session = session("");
        BytesMessage message = session.createBytesMessage();
        byte[] piece = new byte[1 << 20];
        for (int i = 0; i < piece.length; ++i) piece[i] = (byte) (i * 31);
        for (int i = 0; i < 9; ++i) message.writeBytes(piece);
        Queue queue = session.createQueue(c.fresh("q"));
        MessageProducer producer = session.createProducer(queue);
        producer.send(message);
        producer.send(session.createTextMessage("behind it"));
        MessageConsumer consumer = session.createConsumer(queue);
        BytesMessage back = (BytesMessage) Catalogue.next(consumer);
        Catalogue.same(9L << 20, back.getBodyLength(), "length");
        byte[] read = new byte[1 << 20];
        for (int i = 0; i < 9; ++i) {
            back.readBytes(read);
            Catalogue.check(Arrays.equals(piece, read), "piece " + i);
        }
        Catalogue.same("behind it", Catalogue.text(consumer), "order");
        return "9 MiB";
    }

    private String formats(String option) throws Exception {
        Session session = session(option);
        TextMessage message = session.createTextMessage("x");
        message.setLongProperty("n", 1L << 40);
        TextMessage back = roundTrip(session, message);
        Catalogue.same(1L << 40, back.getLongProperty("n"), "property");
        Catalogue.same(message.getJMSMessageID(), back.getJMSMessageID(), "id");
        return back.getText();
    }
}
