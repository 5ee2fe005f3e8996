import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.ConnectionFactory;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.springframework.jms.connection.CachingConnectionFactory;
import org.springframework.jms.core.JmsTemplate;
import org.springframework.jms.listener.DefaultMessageListenerContainer;

/** Spring's JMS as applications use it: a template, and a listener container with several consumers. */
public final class SpringCases {
    private static final int COUNT = 200;

    public static void main(String[] arguments) throws Exception {
        ConnectionFactory plain = new ActiveMQConnectionFactory(arguments[1], arguments[2], arguments[0]);
        CachingConnectionFactory cached = new CachingConnectionFactory(plain);
        JmsTemplate template = new JmsTemplate(cached);
        template.setReceiveTimeout(5_000);
        template.convertAndSend("spring.one", "hello");
        System.out.println("template " + template.receiveAndConvert("spring.one"));

        List<String> got = Collections.synchronizedList(new ArrayList<>());
        AtomicInteger failures = new AtomicInteger();
        CountDownLatch all = new CountDownLatch(COUNT);
        DefaultMessageListenerContainer container = new DefaultMessageListenerContainer();
        container.setConnectionFactory(cached);
        container.setDestinationName("spring.many");
        container.setConcurrentConsumers(3);
        container.setSessionTransacted(true);
        container.setMessageListener((javax.jms.MessageListener) message -> {
            try {
                String text = ((TextMessage) message).getText();
                if (text.equals("7") && failures.getAndIncrement() == 0) throw new IllegalStateException("on purpose");
                got.add(text);
                all.countDown();
            } catch (javax.jms.JMSException broken) {
                throw new IllegalStateException(broken);
            }
        });
        container.afterPropertiesSet();
        container.start();
        for (int i = 0; i < COUNT; ++i) template.convertAndSend("spring.many", "" + i);
        boolean came = all.await(20, TimeUnit.SECONDS);
        container.shutdown();
        System.out.println("container " + came + " " + got.size() + " " + new java.util.HashSet<>(got).size() + " " + failures.get());

        Object answer = exchange(template, cached);
        System.out.println("exchange " + answer);
        cached.destroy();
        System.exit(0);
    }

    private static Object exchange(JmsTemplate template, ConnectionFactory factory) throws Exception {
        DefaultMessageListenerContainer server = new DefaultMessageListenerContainer();
        server.setConnectionFactory(factory);
        server.setDestinationName("spring.requests");
        server.setMessageListener((javax.jms.MessageListener) message -> {
            try {
                template.convertAndSend(message.getJMSReplyTo(), "re: " + ((TextMessage) message).getText());
            } catch (javax.jms.JMSException broken) {
                throw new IllegalStateException(broken);
            }
        });
        server.afterPropertiesSet();
        server.start();
        TextMessage reply =
            (TextMessage) template.sendAndReceive("spring.requests", session -> session.createTextMessage("ask"));
        server.shutdown();
        return reply == null ? "nothing" : reply.getText();
    }
}
