import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jms.BytesMessage;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageEOFException;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQObjectMessage;
import org.apache.activemq.util.ByteSequence;

/**
 * JMS's messages as JSON, both ways:
 *
 * <pre>
 * {"kind":"map", "body":..., "properties":{"n":["int","3"]}, "correlation":..., "type":..., "reply_to":"queue://a",
 *  "priority":4, "ttl":1000, "expiration":1790000000000, "persistent":true, "group":..., "sequence":3, "user":...}
 * </pre>
 *
 * Bodies: none null; text a string; bytes and object base64; map [[name, VALUE]...]; stream [VALUE...]. A VALUE is
 * [type, text], text as Java's parse methods take it, bytes in base64; ["list", [VALUE...]], ["map", [[name, VALUE]...]].
 */
final class PeerMessages {
    private static final ObjectMapper JSON = new ObjectMapper();

    private PeerMessages() {}

    static Object value(JsonNode value) {
        if (value.get(0).asText().equals("list")) {
            List<Object> list = new ArrayList<>();
            for (JsonNode one : value.get(1)) list.add(value(one));
            return list;
        }
        if (value.get(0).asText().equals("map")) {
            Map<String, Object> map = new LinkedHashMap<>();
            for (JsonNode one : value.get(1)) map.put(one.get(0).asText(), value(one.get(1)));
            return map;
        }
        String text = value.get(1).asText();
        switch (value.get(0).asText()) {
            case "null": return null;
            case "boolean": return Boolean.valueOf(text);
            case "byte": return Byte.valueOf(text);
            case "short": return Short.valueOf(text);
            case "int": return Integer.valueOf(text);
            case "long": return Long.valueOf(text);
            case "float": return Float.valueOf(text);
            case "double": return Double.valueOf(text);
            case "char": return text.charAt(0);
            case "bytes": return Base64.getDecoder().decode(text);
            case "string": return text;
            default: throw new IllegalArgumentException("unknown type " + value.get(0));
        }
    }

    static ArrayNode value(Object value) {
        if (value instanceof List) {
            ArrayNode list = JSON.createArrayNode();
            for (Object one : (List<?>) value) list.add(value(one));
            return JSON.createArrayNode().add("list").add(list);
        }
        if (value instanceof Map) {
            ArrayNode map = JSON.createArrayNode();
            for (Map.Entry<?, ?> one : ((Map<?, ?>) value).entrySet())
                map.add(JSON.createArrayNode().add(one.getKey().toString()).add(value(one.getValue())));
            return JSON.createArrayNode().add("map").add(map);
        }
        String type = value == null ? "null" : value instanceof byte[] ? "bytes" : value instanceof Integer ? "int"
                    : value instanceof Character ? "char" : value.getClass().getSimpleName().toLowerCase();
        String text = value instanceof byte[] ? base64((byte[]) value) : value == null ? "" : value.toString();
        return JSON.createArrayNode().add(type).add(text);
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    // ---- JSON to JMS

    static Message read(Session session, JsonNode from) throws Exception {
        Message message = body(session, from.get("kind").asText(), from.get("body"));
        for (Iterator<Map.Entry<String, JsonNode>> i = from.path("properties").fields(); i.hasNext();) {
            Map.Entry<String, JsonNode> entry = i.next();
            message.setObjectProperty(entry.getKey(), value(entry.getValue()));
        }
        if (from.hasNonNull("correlation")) message.setJMSCorrelationID(from.get("correlation").asText());
        if (from.hasNonNull("type")) message.setJMSType(from.get("type").asText());
        if (from.hasNonNull("reply_to"))
            message.setJMSReplyTo(ActiveMQDestination.createDestination(from.get("reply_to").asText(), ActiveMQDestination.QUEUE_TYPE));
        if (from.hasNonNull("group")) message.setStringProperty("JMSXGroupID", from.get("group").asText());
        if (from.hasNonNull("sequence")) message.setIntProperty("JMSXGroupSeq", from.get("sequence").asInt());
        return message;
    }

    private static Message body(Session session, String kind, JsonNode body) throws Exception {
        switch (kind) {
            case "none": return session.createMessage();
            case "text": return session.createTextMessage(body.isNull() ? null : body.asText());
            case "bytes": {
                BytesMessage message = session.createBytesMessage();
                message.writeBytes(Base64.getDecoder().decode(body.asText()));
                return message;
            }
            case "object": {
                ActiveMQObjectMessage message = (ActiveMQObjectMessage) session.createObjectMessage();
                message.setContent(new ByteSequence(Base64.getDecoder().decode(body.asText())));
                return message;
            }
            case "map": {
                MapMessage message = session.createMapMessage();
                for (JsonNode entry : body) message.setObject(entry.get(0).asText(), value(entry.get(1)));
                return message;
            }
            case "stream": {
                StreamMessage message = session.createStreamMessage();
                for (JsonNode one : body) message.writeObject(value(one));
                return message;
            }
            default: throw new IllegalArgumentException("unknown kind " + kind);
        }
    }

    // ---- JMS to JSON

    static ObjectNode write(Message message) throws Exception {
        ObjectNode to = JSON.createObjectNode();
        writeBody(message, to);
        ObjectNode properties = to.putObject("properties");
        for (Object name : Collections.list(message.getPropertyNames())) {
            if (!((String) name).startsWith("JMSX")) properties.set((String) name, value(message.getObjectProperty((String) name)));
        }
        to.put("id", message.getJMSMessageID());
        to.put("correlation", message.getJMSCorrelationID());
        to.put("type", message.getJMSType());
        Destination reply = message.getJMSReplyTo();
        to.put("reply_to", reply == null ? null : reply.toString());
        to.put("priority", message.getJMSPriority());
        to.put("expiration", message.getJMSExpiration());
        to.put("persistent", message.getJMSDeliveryMode() == javax.jms.DeliveryMode.PERSISTENT);
        to.put("group", message.getStringProperty("JMSXGroupID"));
        to.put("sequence", message.propertyExists("JMSXGroupSeq") ? message.getIntProperty("JMSXGroupSeq") : 0);
        to.put("count", message.getIntProperty("JMSXDeliveryCount"));
        to.put("user", message.getStringProperty("JMSXUserID"));
        return to;
    }

    private static void writeBody(Message message, ObjectNode to) throws Exception {
        if (message instanceof TextMessage) {
            to.put("kind", "text").put("body", ((TextMessage) message).getText());
        } else if (message instanceof BytesMessage) {
            byte[] bytes = new byte[(int) ((BytesMessage) message).getBodyLength()];
            ((BytesMessage) message).readBytes(bytes);
            to.put("kind", "bytes").put("body", base64(bytes));
        } else if (message instanceof ActiveMQObjectMessage) {
            ByteSequence content = ((ActiveMQObjectMessage) message).getContent();
            to.put("kind", "object").put("body", content == null ? "" : base64(Arrays.copyOfRange(content.getData(), content.getOffset(), content.getOffset() + content.getLength())));
        } else if (message instanceof MapMessage) {
            ArrayNode body = to.put("kind", "map").putArray("body");
            for (Object name : Collections.list(((MapMessage) message).getMapNames()))
                body.add(JSON.createArrayNode().add((String) name).add(value(((MapMessage) message).getObject((String) name))));
        } else if (message instanceof StreamMessage) {
            writeStream((StreamMessage) message, to.put("kind", "stream").putArray("body"));
        } else {
            to.put("kind", "none").putNull("body");
        }
    }

    private static void writeStream(StreamMessage message, ArrayNode body) throws JMSException {
        try {
            while (true) body.add(value(message.readObject()));
        } catch (MessageEOFException end) {
            message.reset();
        }
    }
}
