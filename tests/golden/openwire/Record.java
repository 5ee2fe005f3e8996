// Records conversations between ActiveMQ's Java client and its broker (both Debian's 5.17) through a proxy: one file for each connection's
// wire format, `C` or `S` (who sent it) and the frame with its size prefix, again and again. See README.md here.
import java.io.*;
import java.net.*;
import java.util.*;
import javax.jms.*;
import javax.jms.Message;
import javax.jms.Queue;
import org.apache.activemq.ActiveMQConnection;
import javax.transaction.xa.*;
import org.apache.activemq.*;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.command.*;
import org.apache.activemq.openwire.OpenWireFormat;
import org.apache.activemq.util.ByteSequence;

public class Record {
    /** Copies both directions, frame by frame, into one list. */
    static class Proxy {
        final ServerSocket server = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        final ByteArrayOutputStream log = new ByteArrayOutputStream();
        final List<Socket> sockets = Collections.synchronizedList(new ArrayList<>());
        final int target;

        Proxy(int target) throws IOException {
            this.target = target;
            Thread t = new Thread(this::accept);
            t.setDaemon(true);
            t.start();
        }
        void accept() {
            try {
                while (true) {
                    Socket client = server.accept();
                    Socket broker = new Socket("127.0.0.1", target);
                    client.setTcpNoDelay(true);
                    broker.setTcpNoDelay(true);
                    sockets.add(client);
                    sockets.add(broker);
                    synchronized (log) { log.write('N'); }
                    pump(client, broker, 'C');
                    pump(broker, client, 'S');
                }
            } catch (IOException e) { }
        }
        void pump(Socket from, Socket to, char who) {
            Thread t = new Thread(() -> {
                try {
                    DataInputStream in = new DataInputStream(from.getInputStream());
                    DataOutputStream out = new DataOutputStream(new BufferedOutputStream(to.getOutputStream(), 1 << 20));
                    while (true) {
                        byte[] frame = new byte[in.readInt()];
                        in.readFully(frame);
                        synchronized (log) {
                            DataOutputStream l = new DataOutputStream(log);
                            l.write(who);
                            l.writeInt(frame.length);
                            l.write(frame);
                        }
                        out.writeInt(frame.length);
                        out.write(frame);
                        out.flush();
                    }
                } catch (IOException e) {
                    try { from.close(); to.close(); } catch (IOException e2) { }
                }
            });
            t.setDaemon(true);
            t.start();
        }
        void cut() throws IOException {
            for (Socket s : new ArrayList<>(sockets)) s.close();
            sockets.clear();
        }
        void save(String name) throws IOException {
            try (FileOutputStream f = new FileOutputStream(name)) { synchronized (log) { log.writeTo(f); } }
            System.out.println(name + " " + log.size());
        }
    }

    static void properties(Message m) throws JMSException {
        m.setBooleanProperty("aBool", true);
        m.setByteProperty("aByte", (byte) -3);
        m.setShortProperty("aShort", (short) -300);
        m.setIntProperty("anInt", 70000);
        m.setLongProperty("aLong", 1L << 40);
        m.setFloatProperty("aFloat", 1.5f);
        m.setDoubleProperty("aDouble", -2.25);
        m.setStringProperty("aString", "Grüße \uD83D\uDE00 \u0000 €");
        m.setJMSCorrelationID("corr-1");
        m.setJMSType("kind");
    }

    static void messages(Session s, javax.jms.Destination d, MessageConsumer c) throws Exception {
        MessageProducer p = s.createProducer(d);
        List<Message> all = new ArrayList<>();
        TextMessage t = s.createTextMessage("hello wörld \uD83D\uDE00 \u0000!");
        properties(t);
        t.setJMSReplyTo(s.createQueue("replies"));
        all.add(t);
        all.add(s.createTextMessage());
        all.add(s.createTextMessage(""));
        BytesMessage b = s.createBytesMessage();
        b.writeBytes(new byte[] {0, 1, 2, -1});
        b.writeUTF("x");
        all.add(b);
        MapMessage m = s.createMapMessage();
        m.setBoolean("b", true); m.setByte("y", (byte) 7); m.setShort("s", (short) 9); m.setInt("i", 1); m.setLong("l", 2);
        m.setFloat("f", 1.25f); m.setDouble("d", 2.5); m.setString("t", "täxt"); m.setBytes("r", new byte[] {9, 8}); m.setChar("c", 'ß');
        m.setObject("n", null);
        m.setObject("list", Arrays.asList("a", 1, Map.of("k", 2L)));
        all.add(m);
        StreamMessage st = s.createStreamMessage();
        st.writeBoolean(false); st.writeByte((byte) 1); st.writeShort((short) 2); st.writeChar('x'); st.writeInt(3); st.writeLong(4);
        st.writeFloat(5.5f); st.writeDouble(6.5); st.writeString("seven"); st.writeBytes(new byte[] {8}); st.writeObject(null);
        all.add(st);
        all.add(s.createObjectMessage(new ArrayList<>(List.of("serialised", 42))));
        all.add(s.createMessage());
        for (Message one : all) p.send(one);
        p.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        p.setPriority(8);
        p.setTimeToLive(600000);
        TextMessage g = s.createTextMessage("grouped");
        g.setStringProperty("JMSXGroupID", "g1");
        g.setIntProperty("JMSXGroupSeq", 1);
        p.send(g);
        for (int i = 0; i <= all.size(); i++) if (c.receive(3000) == null) throw new Exception("message " + i + " missing");
        p.close();
    }

    static void drain(MessageConsumer c, int n) throws Exception {
        for (int i = 0; i < n; i++) if (c.receive(3000) == null) throw new Exception("missing");
    }

    static void whole(ActiveMQConnectionFactory f, int broker) throws Exception {
        ActiveMQConnection c = (ActiveMQConnection) f.createConnection("user", "secret");
        c.setClientID("client-a");
        c.start();
        Session s = c.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Queue q = s.createQueue("orders");
        MessageConsumer mc = s.createConsumer(q);
        messages(s, q, mc);
        mc.close();
        // Topics and durable subscriptions
        Topic t = s.createTopic("prices.eur");
        MessageConsumer tc = s.createConsumer(t, "aLong > 5", true);
        TopicSubscriber ds = s.createDurableSubscriber(t, "sub-1", "anInt = 70000", false);
        MessageProducer tp = s.createProducer(t);
        Message tm = s.createTextMessage("tick");
        properties(tm);
        tp.send(tm);
        drain(ds, 1);
        tc.close();
        ds.close();
        s.unsubscribe("sub-1");
        // Request and reply over temporary destinations
        TemporaryQueue tq = s.createTemporaryQueue();
        MessageConsumer rc = s.createConsumer(tq);
        MessageConsumer server = s.createConsumer(s.createQueue("service"));
        MessageProducer any = s.createProducer(null);
        Message request = s.createTextMessage("question");
        request.setJMSReplyTo(tq);
        any.send(s.createQueue("service"), request);
        Message got = server.receive(3000);
        any.send(got.getJMSReplyTo(), s.createTextMessage("answer"));
        drain(rc, 1);
        rc.close();
        tq.delete();
        TemporaryTopic tt = s.createTemporaryTopic();
        MessageConsumer ttc = s.createConsumer(tt);
        any.send(tt, s.createTextMessage("temp"));
        drain(ttc, 1);
        ttc.close();
        tt.delete();
        // Local transactions
        Session tx = c.createSession(true, Session.SESSION_TRANSACTED);
        MessageProducer xp = tx.createProducer(q);
        MessageConsumer xc = tx.createConsumer(q);
        xp.send(tx.createTextMessage("in"));
        tx.commit();
        drain(xc, 1);
        tx.rollback();
        drain(xc, 1);
        tx.commit();
        xp.send(tx.createTextMessage("never"));
        tx.rollback();
        tx.close();
        // Acknowledgement modes
        Session ca = c.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageProducer cp = ca.createProducer(q);
        for (int i = 0; i < 4; i++) cp.send(ca.createTextMessage("c" + i));
        MessageConsumer cc = ca.createConsumer(q);
        drain(cc, 1);
        ca.recover();
        Message last = null;
        for (int i = 0; i < 4; i++) last = cc.receive(3000);
        last.acknowledge();
        ca.close();
        Session ia = c.createSession(false, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageProducer ip = ia.createProducer(q);
        for (int i = 0; i < 2; i++) ip.send(ia.createTextMessage("i" + i));
        MessageConsumer ic = ia.createConsumer(s.createQueue("orders?consumer.prefetchSize=2&consumer.exclusive=true&consumer.priority=5"));
        Message first = ic.receive(3000);
        ic.receive(3000).acknowledge();
        first.acknowledge();
        ia.close();
        Session du = c.createSession(false, Session.DUPS_OK_ACKNOWLEDGE);
        MessageConsumer dc = du.createConsumer(q);
        MessageProducer dp = du.createProducer(q);
        for (int i = 0; i < 3; i++) dp.send(du.createTextMessage("d" + i));
        drain(dc, 3);
        du.close();
        // Browse, pull, composite, expired
        any.send(q, s.createTextMessage("seen"));
        QueueBrowser qb = s.createBrowser(q);
        Enumeration<?> e = qb.getEnumeration();
        while (e.hasMoreElements()) e.nextElement();
        qb.close();
        MessageConsumer pull = s.createConsumer(s.createQueue("orders?consumer.prefetchSize=0"));
        drain(pull, 1);
        if (pull.receiveNoWait() != null || pull.receive(50) != null) throw new Exception("not empty");
        pull.close();
        any.send(s.createQueue("first,queue://second,topic://third"), s.createTextMessage("three times"));
        // Refused
        try { s.createConsumer(q, "this is ! not"); throw new Exception("accepted"); } catch (JMSException expected) { }
        // Poison
        Session ps = c.createSession(true, Session.SESSION_TRANSACTED);
        any.send(s.createQueue("bad"), s.createTextMessage("poison"));
        MessageConsumer pc = ps.createConsumer(s.createQueue("bad"));
        RedeliveryPolicy policy = new RedeliveryPolicy();
        policy.setInitialRedeliveryDelay(0);
        policy.setMaximumRedeliveries(1);
        ((ActiveMQMessageConsumer) pc).setRedeliveryPolicy(policy);
        for (int i = 0; i < 2; i++) { drain(pc, 1); ps.rollback(); }
        if (pc.receive(100) != null) throw new Exception("poison again");
        ps.close();
        c.close();
    }

    static Xid xid(int n) {
        return new Xid() {
            public int getFormatId() { return 7; }
            public byte[] getGlobalTransactionId() { return new byte[] {1, 2, (byte) n}; }
            public byte[] getBranchQualifier() { return new byte[] {3, (byte) n}; }
        };
    }

    static void xa(String uri) throws Exception {
        ActiveMQXAConnectionFactory f = new ActiveMQXAConnectionFactory(uri);
        XAConnection c = f.createXAConnection();
        c.start();
        XASession s = c.createXASession();
        XAResource r = s.getXAResource();
        MessageProducer p = s.createProducer(s.createQueue("xa"));
        r.start(xid(1), XAResource.TMNOFLAGS);
        p.send(s.createTextMessage("one"));
        r.end(xid(1), XAResource.TMSUCCESS);
        r.commit(xid(1), true);
        r.start(xid(2), XAResource.TMNOFLAGS);
        p.send(s.createTextMessage("two"));
        r.end(xid(2), XAResource.TMSUCCESS);
        r.prepare(xid(2));
        r.recover(XAResource.TMSTARTRSCAN);
        r.commit(xid(2), false);
        r.start(xid(3), XAResource.TMNOFLAGS);
        p.send(s.createTextMessage("three"));
        r.end(xid(3), XAResource.TMFAIL);
        r.rollback(xid(3));
        try { r.commit(xid(9), false); } catch (XAException expected) { }
        try { r.forget(xid(8)); } catch (XAException expected) { }
        c.close();
    }

    static void options(String uri) throws Exception {
        ActiveMQConnectionFactory f = new ActiveMQConnectionFactory(uri);
        ActiveMQConnection c = (ActiveMQConnection) f.createConnection();
        c.start();
        Session s = c.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer mc = s.createConsumer(s.createQueue("options"));
        messages(s, s.createQueue("options"), mc);
        MessageProducer p = s.createProducer(s.createQueue("options"));
        p.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        byte[] big = new byte[3000];
        for (int i = 0; i < 3; i++) {
            BytesMessage b = s.createBytesMessage();
            b.writeBytes(big);
            p.send(b);
        }
        p.send(s.createTextMessage("x".repeat(3000)));
        Message m = s.createTextMessage("later");
        m.setLongProperty("AMQ_SCHEDULED_DELAY", 100);
        m.setStringProperty("long", "y".repeat(9000));
        p.send(m);
        p.send(((ActiveMQSession) s).createBlobMessage(new URL("http://example.com/blob")));
        drain(mc, 6);
        Thread.sleep(1500);  // keep-alives
        c.close();
    }

    static void reconnect(Proxy proxy) throws Exception {
        ActiveMQConnectionFactory f = new ActiveMQConnectionFactory(
            "failover:(tcp://127.0.0.1:" + proxy.server.getLocalPort() + ")?initialReconnectDelay=10&useExponentialBackOff=false");
        ActiveMQConnection c = (ActiveMQConnection) f.createConnection();
        c.start();
        Session s = c.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        Queue q = s.createQueue("failing");
        MessageConsumer mc = s.createConsumer(q);
        MessageProducer p = s.createProducer(q);
        p.send(s.createTextMessage("before"));
        drain(mc, 1);
        TemporaryQueue tq = s.createTemporaryQueue();
        Session tx = c.createSession(true, Session.SESSION_TRANSACTED);
        MessageProducer xp = tx.createProducer(s.createQueue("other"));
        xp.send(tx.createTextMessage("in a transaction"));
        proxy.cut();
        p.send(s.createTextMessage("after"));
        tx.commit();
        mc.receive(3000).acknowledge();
        mc.receive(500);
        tq.delete();
        c.close();
    }

    /** What no conversation above holds, written by ActiveMQ's own marshallers: 'S' only. */
    static void structures(String name, int version, boolean tight, boolean cache, boolean traces) throws Exception {
        WireFormatInfo offer = new WireFormatInfo();
        offer.setVersion(version);
        offer.setTightEncodingEnabled(tight);
        offer.setCacheEnabled(cache);
        offer.setCacheSize(cache ? 128 : 0);
        offer.setStackTraceEnabled(traces);
        offer.setMaxFrameSize(1 << 20);
        OpenWireFormat format = new OpenWireFormat(1);
        format.setPreferedWireFormatInfo(offer);
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        log.write('N');
        for (char who : new char[] {'C', 'S'}) write(log, who, format, offer);
        format.renegotiateWireFormat(offer);
        BrokerId id = new BrokerId("ID:broker");
        ConsumerId consumer = new ConsumerId(new org.apache.activemq.command.SessionId(new ConnectionId("ID:c"), 2), 3);
        ActiveMQQueue queue = new ActiveMQQueue("orders");
        ConsumerControl control = new ConsumerControl();
        control.setConsumerId(consumer); control.setDestination(queue); control.setPrefetch(7); control.setClose(true); control.setStop(true);
        ConnectionError error = new ConnectionError();
        Throwable thrown = new JMSException("outer");
        thrown.initCause(new RuntimeException("inner"));
        error.setException(thrown); error.setConnectionId(new ConnectionId("ID:c"));
        DataResponse data = new DataResponse(queue);
        data.setCorrelationId(9);
        SubscriptionInfo sub = new SubscriptionInfo();
        sub.setClientId("client"); sub.setDestination(new ActiveMQTopic("t")); sub.setSelector("a = 1"); sub.setSubscriptionName("s");
        sub.setSubscribedDestination(new ActiveMQTopic("t.>")); sub.setNoLocal(true);
        MessageDispatchNotification note = new MessageDispatchNotification();
        note.setConsumerId(consumer); note.setDestination(queue); note.setDeliverySequenceId(1L << 33); note.setMessageId(new MessageId("ID:c:1:1:1:70000"));
        ConsumerInfo network = new ConsumerInfo(consumer);
        network.setDestination(queue); network.setBrokerPath(new BrokerId[] {id}); network.setNetworkConsumerPath(new ConsumerId[] {consumer});
        network.setAdditionalPredicate(new NetworkBridgeFilter(null, id, 3, 4));
        BrokerInfo peer = new BrokerInfo();
        peer.setBrokerId(id); peer.setBrokerName("peer");
        BrokerInfo broker = new BrokerInfo();
        broker.setBrokerId(id); broker.setPeerBrokerInfos(new BrokerInfo[] {peer}); broker.setConnectionId(-1); broker.setNetworkProperties("p");
        BrokerSubscriptionInfo subs = new BrokerSubscriptionInfo("name");
        subs.setBrokerId(id); subs.setSubscriptionInfos(new ConsumerInfo[] {network});
        MessageAck ack = new MessageAck();
        ack.setConsumerId(consumer); ack.setDestination(queue); ack.setAckType(MessageAck.POISON_ACK_TYPE); ack.setMessageCount(1);
        ack.setPoisonCause(new RuntimeException("why \u00e4"));
        ack.setTransactionId(new LocalTransactionId(new ConnectionId("ID:c"), 5));
        ActiveMQMessage advisory = new ActiveMQMessage();
        advisory.setMessageId(new MessageId("ID:c:-1:1:70000")); advisory.setDestination(new ActiveMQTopic("ActiveMQ.Advisory.Queue"));
        advisory.setDataStructure(new DestinationInfo(new ConnectionId("ID:c"), DestinationInfo.ADD_OPERATION_TYPE, queue));
        advisory.setBrokerPath(new BrokerId[] {id}); advisory.setCluster(new BrokerId[] {id, id}); advisory.setTargetConsumerId(consumer);
        advisory.setDroppable(true); advisory.setArrival(-1); advisory.setJMSXGroupFirstForConsumer(true);
        List<DataStructure> all = new ArrayList<>(List.of(control, error, data, sub, note, network, broker, ack, advisory, new ControlCommand(),
            new FlushCommand(), queue, consumer));
        if (version >= 12) all.add(subs);
        for (DataStructure one : all) write(log, 'S', format, one);
        for (int i = 0; cache && i < 400; i++) {  // round the cache, asking also for what is just about to be forgotten
            write(log, 'S', format, new SessionInfo(new SessionId(new ConnectionId("ID:n"), i)));
            if (i % 7 == 0) write(log, 'S', format, new SessionInfo(new SessionId(new ConnectionId("ID:n"), i - 20 - i / 7 % 12)));
        }
        try (FileOutputStream f = new FileOutputStream(name)) { log.writeTo(f); }
    }
    static void write(ByteArrayOutputStream log, char who, OpenWireFormat format, Object o) throws IOException {
        ByteSequence bytes = format.marshal(o);
        log.write(who);
        log.write(bytes.getData(), bytes.getOffset(), bytes.getLength());
    }

    public static void main(String[] args) throws Exception {
        structures("structures-v12-tight-cache.frames", 12, true, true, true);
        structures("structures-v12-loose.frames", 12, false, false, true);
        structures("structures-v11-tight.frames", 11, true, false, false);
        structures("structures-v9-tight.frames", 9, true, false, true);
        structures("structures-v10-loose-cache.frames", 10, false, true, true);
        BrokerService broker = new BrokerService();
        broker.setPersistent(false);
        broker.setUseJmx(false);
        broker.setSchedulerSupport(false);
        broker.setBrokerName("recorded");
        int port = broker.addConnector("tcp://127.0.0.1:0?wireFormat.host=broker").getServer().getSocketAddress().getPort();
        broker.start();
        String[][] formats = {
            {"v12-tight-cache", "wireFormat.version=12"},
            {"v12-tight", "wireFormat.cacheEnabled=false"},
            {"v12-loose-cache", "wireFormat.tightEncodingEnabled=false"},
            {"v12-loose", "wireFormat.tightEncodingEnabled=false&wireFormat.cacheEnabled=false"},
            {"v11-tight-cache", "wireFormat.version=11"},
            {"v10-loose-cache", "wireFormat.version=10&wireFormat.tightEncodingEnabled=false"},
            {"v9-tight-cache", "wireFormat.version=9"},
            {"v12-traces", "wireFormat.stackTraceEnabled=false"},
        };
        for (String[] format : formats) {
            Proxy proxy = new Proxy(port);
            whole(new ActiveMQConnectionFactory("tcp://127.0.0.1:" + proxy.server.getLocalPort() + "?" + format[1]), port);
            Thread.sleep(200);
            proxy.save(format[0] + ".frames");
        }
        Proxy px = new Proxy(port);
        xa("tcp://127.0.0.1:" + px.server.getLocalPort());
        Thread.sleep(200);
        px.save("xa.frames");
        Proxy po = new Proxy(port);
        options("tcp://127.0.0.1:" + po.server.getLocalPort()
            + "?jms.useCompression=true&jms.producerWindowSize=4000&jms.optimizeAcknowledge=true&jms.sendAcksAsync=false"
            + "&wireFormat.maxInactivityDuration=1200&wireFormat.maxInactivityDurationInitalDelay=300");
        Thread.sleep(200);
        po.save("options.frames");
        Proxy pr = new Proxy(port);
        reconnect(pr);
        Thread.sleep(200);
        pr.save("failover.frames");
        broker.stop();
        System.exit(0);
    }
}
