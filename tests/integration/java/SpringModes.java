import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import javax.jms.JMSException;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.springframework.jms.JmsException;
import org.springframework.jms.JmsSecurityException;
import org.springframework.jms.core.JmsTemplate;
import org.springframework.jms.listener.DefaultMessageListenerContainer;

/**
 * What applications set at Spring's listener container and template, one line of output each.
 *
 * <pre>java SpringModes URL user password</pre>
 *
 * Prints "kill" when the bus may be killed, and goes on.
 */
public final class SpringModes {
    private static final int SECONDS = 60;

    private final ActiveMQConnectionFactory factory;
    private final JmsTemplate template;
    private final BlockingQueue<String> got = new LinkedBlockingQueue<>();
    private final AtomicInteger failures = new AtomicInteger();

    private SpringModes(String[] arguments) {
        factory = new ActiveMQConnectionFactory(arguments[1], arguments[2], arguments[0]);
        template = new JmsTemplate(factory);
        template.setReceiveTimeout(SECONDS * 1000L);
    }

    private DefaultMessageListenerContainer listen(String from, Consumer<DefaultMessageListenerContainer> more) {
        DefaultMessageListenerContainer container = new DefaultMessageListenerContainer();
        container.setConnectionFactory(factory);
        container.setDestinationName(from);
        container.setRecoveryInterval(100);
        container.setMessageListener((javax.jms.MessageListener) message -> {
            try {
                String text = ((TextMessage) message).getText();
                if (text.equals("fails once") && failures.getAndIncrement() == 0) throw new IllegalStateException("on purpose");
                got.add(text + (message.getJMSRedelivered() ? " again" : ""));
            } catch (JMSException broken) {
                throw new IllegalStateException(broken);
            }
        });
        more.accept(container);
        container.afterPropertiesSet();
        container.start();
        return container;
    }

    private String next() throws InterruptedException {
        return "" + got.poll(SECONDS, TimeUnit.SECONDS);
    }

    /** What comes of a message whose listener throws, and of the next one. */
    private void mode(String name, Consumer<DefaultMessageListenerContainer> how) throws Exception {
        failures.set(0);
        String queue = "spring." + name;
        DefaultMessageListenerContainer container = listen(queue, how);
        template.convertAndSend(queue, "fails once");
        template.convertAndSend(queue, "end");
        StringBuilder all = new StringBuilder(name);
        for (String text = ""; !text.startsWith("end") && !text.equals("null"); all.append(", ").append(text)) text = next();
        container.shutdown();
        System.out.println(all);
    }

    private void durable() throws Exception {
        Consumer<DefaultMessageListenerContainer> subscription = container -> {
            container.setPubSubDomain(true);
            container.setSubscriptionDurable(true);
            container.setClientId("spring");
            container.setDurableSubscriptionName("news");
        };
        JmsTemplate publish = new JmsTemplate(factory);
        publish.setPubSubDomain(true);
        // Until the container has subscribed, what is published goes to nobody.
        DefaultMessageListenerContainer away = listen("spring.news", subscription);
        do publish.convertAndSend("spring.news", "there");
        while (got.poll(200, TimeUnit.MILLISECONDS) == null);
        away.shutdown();
        got.clear();
        publish.convertAndSend("spring.news", "meanwhile");
        DefaultMessageListenerContainer back = listen("spring.news", subscription);
        String text = next();
        while (text.startsWith("there")) text = next();
        back.shutdown();
        System.out.println("durable " + text);
    }

    private void login(String url, String user) {
        try {
            new JmsTemplate(new ActiveMQConnectionFactory(user, "wrong", url)).convertAndSend("spring.login", "x");
            System.out.println("login was not refused");
        } catch (JmsSecurityException refused) {
            System.out.println("login refused " + refused.getMessage().contains("password"));
        }
    }

    private void selector() throws Exception {
        for (int i = 0; i < 4; ++i) {
            int n = i;
            template.convertAndSend("spring.selected", "" + i, message -> {
                message.setIntProperty("n", n);
                return message;
            });
        }
        Object two = template.receiveSelectedAndConvert("spring.selected", "n = 2");
        DefaultMessageListenerContainer container = listen("spring.selected", one -> one.setMessageSelector("n > 0"));
        System.out.println("selector " + two + " " + next() + " " + next());
        container.shutdown();
        System.out.println("rest " + template.receiveAndConvert("spring.selected"));
    }

    private void large() {
        String text = "0123456789abcdef".repeat(1 << 19);
        template.convertAndSend("spring.large", text);
        System.out.println("large " + text.equals(template.receiveAndConvert("spring.large")));
    }

    /** The listener container and the template find the bus again by themselves. */
    private void reconnect() throws Exception {
        DefaultMessageListenerContainer container = listen("spring.killed", one -> one.setSessionTransacted(true));
        template.convertAndSend("spring.killed", "before");
        String before = next();
        template.convertAndSend("spring.kept", "kept");
        System.out.println("kill");
        int lost = 0;
        for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS); lost == 0 && System.nanoTime() < end;) {
            try {
                template.convertAndSend("spring.beat", "x");
            } catch (JmsException gone) {
                ++lost;
            }
        }
        String kept = null;
        for (int tries = 0; kept == null && tries < 10 * SECONDS; ++tries) {
            try {
                kept = "" + template.receiveAndConvert("spring.kept");
            } catch (JmsException gone) {
                Thread.sleep(100);
            }
        }
        template.convertAndSend("spring.killed", "after");
        System.out.println("reconnect " + before + " " + kept + " " + next() + " " + (lost > 0));
        container.shutdown();
    }

    public static void main(String[] arguments) throws Exception {
        SpringModes modes = new SpringModes(arguments);
        modes.login(arguments[0], arguments[1]);
        modes.mode("auto", one -> {});
        modes.mode("dupsOk", one -> one.setSessionAcknowledgeMode(Session.DUPS_OK_ACKNOWLEDGE));
        modes.mode("client", one -> one.setSessionAcknowledgeMode(Session.CLIENT_ACKNOWLEDGE));
        modes.mode("transacted", one -> one.setSessionTransacted(true));
        modes.selector();
        modes.durable();
        modes.large();
        modes.reconnect();
        System.out.println("ok");
        System.exit(0);
    }
}
