import bitronix.tm.BitronixTransactionManager;
import bitronix.tm.Configuration;
import bitronix.tm.TransactionManagerServices;
import bitronix.tm.resource.jms.PoolingConnectionFactory;
import java.io.File;
import javax.jms.Connection;
import javax.jms.Session;
import javax.jms.TextMessage;

/**
 * A transaction manager (Bitronix) over two buses: takes a message of one and sends it to the other, in one transaction.
 * BitronixMove DIRECTORY FROM-URL TO-URL USER PASSWORD: goes on until nothing comes for a while; prints how many it moved.
 */
public final class BitronixMove {
    private static PoolingConnectionFactory pool(String name, String url, String user, String password) {
        PoolingConnectionFactory pool = new PoolingConnectionFactory();
        pool.setClassName("org.apache.activemq.ActiveMQXAConnectionFactory");
        pool.setUniqueName(name);
        pool.setMaxPoolSize(3);
        pool.setTestConnections(true);
        pool.setUser(user);
        pool.setPassword(password);
        pool.getDriverProperties().setProperty("brokerURL", url);
        pool.getDriverProperties().setProperty("userName", user);
        pool.getDriverProperties().setProperty("password", password);
        pool.init();
        return pool;
    }

    private static String moveOne(BitronixTransactionManager manager, PoolingConnectionFactory from, PoolingConnectionFactory to)
        throws Exception {
        manager.begin();
        Connection in = null, out = null;
        Session taking = null, giving = null;
        try {
            in = from.createConnection();
            out = to.createConnection();
            in.start();
            taking = in.createSession(true, 0);
            giving = out.createSession(true, 0);
            TextMessage message = (TextMessage) taking.createConsumer(taking.createQueue("bt.in")).receive(1500);
            if (message != null) {
                giving.createProducer(giving.createQueue("bt.out")).send(giving.createTextMessage(message.getText()));
            }
            manager.commit();
            return message == null ? null : message.getText();
        } catch (Exception e) {
            try {
                manager.rollback();
            } catch (Exception over) {
                // it has ended already
            }
            throw e;
        } finally {
            close(taking == null ? null : taking::close, in == null ? null : in::close);
            close(giving == null ? null : giving::close, out == null ? null : out::close);
        }
    }

    /** The session first: else its connection does not go back to the pool. */
    private static void close(AutoCloseable... all) {
        for (AutoCloseable one : all) {
            try {
                if (one != null) one.close();
            } catch (Exception e) {
                // it was lost
            }
        }
    }

    public static void main(String[] args) throws Exception {
        Configuration configuration = TransactionManagerServices.getConfiguration();
        configuration.setServerId("busbar-test");
        configuration.setLogPart1Filename(new File(args[0], "one.btm").getPath());
        configuration.setLogPart2Filename(new File(args[0], "two.btm").getPath());
        configuration.setBackgroundRecoveryIntervalSeconds(1);
        configuration.setDefaultTransactionTimeout(30);
        PoolingConnectionFactory from = pool("from", args[1], args[3], args[4]);
        PoolingConnectionFactory to = pool("to", args[2], args[3], args[4]);
        BitronixTransactionManager manager = TransactionManagerServices.getTransactionManager();
        System.out.println("ready");
        int moved = 0, empty = 0;
        while (empty < 3) {
            try {
                String text = moveOne(manager, from, to);
                empty = text == null ? empty + 1 : 0;
                if (text != null) System.out.println(++moved);
            } catch (Exception e) {
                empty = 0;
                Thread.sleep(100);  // one of the two is down
            }
        }
        manager.shutdown();
        from.close();
        to.close();
        System.out.println("done " + moved);
        System.exit(0);
    }
}
