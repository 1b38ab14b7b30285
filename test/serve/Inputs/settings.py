"""Settings files that sd-serve refuses: settings.py SD_SERVE FOLDER, where a.sdb is."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from authority import Authority

serve, folder = sys.argv[1], pathlib.Path(sys.argv[2])
os.chdir(folder)
MODEL = '[[model]]\nname = "a"\nprogram = "a.sdb"\n'
HOSPITAL = '[[hospital]]\nname = "H"\ncertificate = "none"\nmodels = "any"\n'


def case(name, text, *options):
    pathlib.Path("service.toml").write_text(text)
    done = subprocess.run([serve, "service.toml", *options], capture_output=True, text=True, timeout=60)
    print(f"{name}: exit {done.returncode}\n{done.stdout}{done.stderr}", end="", flush=True)


case("good", MODEL + HOSPITAL, "--check")
case("syntax", MODEL.replace('"a"', "a") + HOSPITAL)
case("many", 'adress = "x:1"\n\n[limits]\nsessions = "a"\ntimeout = 0.0\nmemry = 3\n[[model]]\nname = "a"\n'
     '[[hospital]]\nname = "H"\ncertificate = []\n')
case("nobody", MODEL)
case("missing", MODEL.replace("a.sdb", "b.sdb") + HOSPITAL)
case("unknown", MODEL + HOSPITAL.replace("any", "b"))
case("twice", MODEL + MODEL.replace('"a"', '"b"') + HOSPITAL)
case("plaintext", 'address = "0.0.0.0:0"\n' + MODEL + HOSPITAL)
case("public figures", 'address = "127.0.0.1:0"\nstatus = "0.0.0.0:0"\n' + MODEL + HOSPITAL)
case("memory", "[limits]\nmemory = 1\n" + MODEL + HOSPITAL)
cert, key = Authority("ca").issue("key", "/CN=x", "IP:127.0.0.1")
key.rename("key.pem").chmod(0o644)
case("key", f'[tls]\ncert = "{cert.name}"\nkey = "key.pem"\nca = "ca/ca.pem"\n'.replace(cert.name, "ca/" + cert.name)
     + MODEL + HOSPITAL, "--check")
case("listen", '[listen]\nproxy_protocol = true\n' + MODEL + HOSPITAL)
case("listen", '[listen]\nproxies = ["10.0.0.0/8", "10.0.0.0/40"]\n' + MODEL + HOSPITAL)
case("listen", '[listen]\nproxy_protocol = "yes"\n' + MODEL + HOSPITAL)
case("store", MODEL + 'store = "postgresql:///x"\n' + HOSPITAL)
case("store", MODEL + 'store = "postgresql://u:secret@h/x"\nstore_key = "k"\n' + HOSPITAL)
case("store", MODEL + 'store_key = "k"\n' + HOSPITAL)
