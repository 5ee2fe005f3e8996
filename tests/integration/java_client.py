"""ActiveMQ's own Java client (Debian's libactivemq-java), unchanged: the programmes of tests/integration/java."""
import atexit
import json
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
JARS = ("activemq-client", "geronimo-jms_1.1_spec", "geronimo-j2ee-management-1.1-spec", "hawtbuf", "slf4j-api",
        "slf4j-nop", "jackson-core", "jackson-databind", "jackson-annotations")
SPRING = ("spring3-jms", "spring3-transaction", "spring3-core", "spring3-beans", "spring3-context", "spring3-aop",
          "spring3-messaging", "commons-logging", "aopalliance")
XA = ("btm", "geronimo-jta-1.2-spec")


def jars(names):
    return ":".join(f"/usr/share/java/{name}.jar" for name in names)


class Java:
    """The programmes of tests/integration/java, compiled once a process of Python."""
    directory = None

    @classmethod
    def classes(cls):
        if cls.directory is None:
            cls.directory = tempfile.mkdtemp(prefix="busbar-java-")
            atexit.register(shutil.rmtree, cls.directory, True)
            sources = sorted(str(file) for file in (HERE / "java").glob("*.java"))
            subprocess.run(["javac", "-nowarn", "-encoding", "UTF-8", "-d", cls.directory, "-cp", jars(JARS + SPRING + XA),
                            *sources], check=True, stderr=subprocess.DEVNULL)
        return cls.directory

    @classmethod
    def command(cls, program, *arguments, more=(), options=()):
        return ["java", "-Xmx256m", *options, "-cp", cls.classes() + ":" + jars(JARS + tuple(more)), program,
                *map(str, arguments)]


class PeerError(Exception):
    """What the client threw: `kind` is the class of the exception."""

    def __init__(self, answer):
        super().__init__(f"{answer['error']}: {answer['text']}")
        self.kind = answer["error"]


class Peer:
    """Peer.java: one JVM that obeys lines of JSON."""

    def __init__(self, options=()):
        self.process = subprocess.Popen(Java.command("Peer", options=options), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def __call__(self, what, **order):
        self.process.stdin.write(json.dumps({"do": what, **order}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the Java client ended during {what}, code {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer)
        return answer

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
