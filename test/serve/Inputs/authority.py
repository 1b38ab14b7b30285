"""Certificates for tests, by openssl: an authority in a folder of its own."""
import pathlib
import subprocess


def openssl(*command, **more):
    subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True, **more)


class Authority:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout",
                self.key, "-out", self.ca)
        (self.folder / "index").write_text("")
        (self.folder / "config").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={self.folder}/index\ndefault_md=default\ndefault_crl_days=2\n")

    def issue(self, name, subject, alternative):
        """Paths of a certificate and its key."""
        cert, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        openssl("req", "-newkey", "ed25519", "-nodes", "-subj", subject, "-addext", f"subjectAltName={alternative}",
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-days", "2", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-copy_extensions",
                "copy", "-out", cert)
        key.chmod(0o600)
        return cert, key

    def revoke(self, *certificates):
        """Path of the list of those certificates, in force."""
        for cert in certificates:
            openssl("ca", "-config", self.folder / "config", "-cert", self.ca, "-keyfile", self.key, "-revoke", cert)
        crl = self.folder / "crl.pem"
        openssl("ca", "-config", self.folder / "config", "-cert", self.ca, "-keyfile", self.key, "-gencrl", "-out", crl)
        return crl
