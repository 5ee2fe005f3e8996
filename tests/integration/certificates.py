"""Certificates for one test, made with the openssl program: an authority of its own, what it issues and what it takes back."""
import pathlib
import subprocess


class Authority:
    """Writes ca.pem, and NAME.pem with NAME.key for what it issues, to `directory`."""

    def __init__(self, directory, name="ca"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._openssl("req", "-x509", *self._key("ca"), "-subj", f"/CN={name}", "-days", "2", "-out", self.file("ca.pem"))
        self.file("index.txt").touch()
        self.file("ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\ndefault_md=sha256\ndefault_crl_days=2\n"
                                       % self.file("index.txt"))

    def file(self, name):
        return self.directory / name

    def issue(self, name, subject=None, alternative="DNS:localhost,IP:127.0.0.1", days=2):
        """`subject` as in "/O=Example/CN=alice"; negative days: expired."""
        self._openssl("req", *self._key(name), "-subj", subject or f"/CN={name}", "-out", self.file(name + ".csr"))
        self.file(name + ".ext").write_text(f"subjectAltName={alternative}\n")
        self._openssl("x509", "-req", "-days", str(days), "-CAcreateserial", "-CA", self.file("ca.pem"), "-CAkey", self.file("ca.key"),
                      "-extfile", self.file(name + ".ext"), "-in", self.file(name + ".csr"), "-out", self.file(name + ".pem"))

    def revoke(self, *names):
        """Writes crl.pem, with these and the ones before."""
        ca = ("ca", "-config", self.file("ca.cnf"), "-cert", self.file("ca.pem"), "-keyfile", self.file("ca.key"))
        for name in names:
            self._openssl(*ca, "-revoke", self.file(name + ".pem"))
        self._openssl(*ca, "-gencrl", "-out", self.file("crl.pem"))

    def put(self, name, place):
        """Renames a copy of NAME to PLACE, as a renewal does."""
        new = self.file(place + ".new")
        new.write_bytes(self.file(name).read_bytes())
        new.rename(self.file(place))

    def _key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.file(name + ".key"))

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
