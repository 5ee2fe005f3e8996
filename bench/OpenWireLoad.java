import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import javax.jms.*;
import org.apache.activemq.ActiveMQConnectionFactory;

/** ActiveMQ's Java client: asynchronous persistent sends by one connection, taken by another. URL USER PASSWORD QUEUE MESSAGES BODY-BYTES. */
public final class OpenWireLoad {
    public static void main(String[] arguments) throws Exception {
        final int messages = Integer.parseInt(arguments[4]);
        byte[] body = new byte[Math.max(8, Integer.parseInt(arguments[5]))];
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(arguments[0]);
        factory.setUseAsyncSend(true);
        factory.setProducerWindowSize(4 << 20);
        Connection in = factory.createConnection(arguments[1], arguments[2]);
        Connection out = factory.createConnection(arguments[1], arguments[2]);
        final AtomicLong received = new AtomicLong();
        final AtomicLong misplaced = new AtomicLong();
        final CountDownLatch done = new CountDownLatch(1);
        Session takes = in.createSession(false, Session.AUTO_ACKNOWLEDGE);
        takes.createConsumer(takes.createQueue(arguments[3])).setMessageListener(message -> {
            try {
                byte[] number = new byte[8];
                ((BytesMessage) message).readBytes(number);
                if (ByteBuffer.wrap(number).getLong() != received.get()) misplaced.incrementAndGet();
            } catch (JMSException e) {
                misplaced.incrementAndGet();
            }
            if (received.incrementAndGet() == messages) done.countDown();
        });
        in.start();
        Session sends = out.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = sends.createProducer(sends.createQueue(arguments[3]));
        producer.setDeliveryMode(DeliveryMode.PERSISTENT);
        long began = System.nanoTime();
        for (long i = 0; i < messages; ++i) {
            ByteBuffer.wrap(body).putLong(i);
            BytesMessage message = sends.createBytesMessage();
            message.writeBytes(body);
            producer.send(message);
        }
        boolean all = done.await(120, java.util.concurrent.TimeUnit.SECONDS);
        double seconds = (System.nanoTime() - began) / 1e9;
        System.out.printf("{\"sent\":%d,\"received\":%d,\"misplaced\":%d,\"seconds\":%.3f,\"msgs_per_s\":%.0f}%n", messages, received.get(),
                          misplaced.get(), seconds, received.get() / seconds);
        System.exit(all && misplaced.get() == 0 ? 0 : 1);
    }
}
