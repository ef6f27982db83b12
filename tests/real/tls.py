"""Speaks TLS in front of a server: tls.py GOAL_PORT DIRECTORY KIND...

Listens once for each kind of certificate, prints the ports, and leads each connection to the goal.
DIRECTORY gets `lab.pem`, the authority. A kind is read from the file `DIRECTORY/KIND` for each
connection, so that a certificate can be mended: good, expired, other-host, unknown-ca, self-signed.
The last is always the same one, made for an authority as `openssl req -x509` does; `self-signed.sha256`
gets its fingerprint.
"""

import datetime
import ipaddress
import pathlib
import socket
import ssl
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

goal, directory, kinds = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
now = datetime.datetime.now(datetime.timezone.utc)
day = datetime.timedelta(days=1)


def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def signed(subject, key, issuer, issuer_key, end, extensions):
    made = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
    made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
    made = made.not_valid_before(end - 10 * day).not_valid_after(end)
    for extension in extensions:
        made = made.add_extension(extension, critical=False)
    return made.sign(issuer_key, hashes.SHA256())


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def authority(subject):
    key = new_key()
    return subject, key, signed(subject, key, subject, key, now + 9 * day, [x509.BasicConstraints(True, None)])


lab, stranger, lonely = authority("The lab"), authority("A stranger"), authority("A hub of its own")
pem = serialization.Encoding.PEM
(directory / "lab.pem").write_bytes(lab[2].public_bytes(pem))
(directory / "self-signed.sha256").write_text(lonely[2].fingerprint(hashes.SHA256()).hex(":").upper())


def context(kind):
    issuer, issuer_key, _ = stranger if kind == "unknown-ca" else lab
    end = now - day if kind == "expired" else now + 9 * day
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    host = x509.DNSName("other.example") if kind == "other-host" else here
    key = new_key()
    certificate = signed("server", key, issuer, issuer_key, end, [x509.SubjectAlternativeName([host])])
    if kind == "self-signed":
        _, key, certificate = lonely
    file = directory / f"{kind}-{threading.get_ident()}.pem"
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(pem))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def lead(connection, kind):
    with open(directory / f"{kind}.taken", "a") as taken:
        taken.write("x")
    try:
        inside = context((directory / kind).read_text()).wrap_socket(connection, server_side=True)
    except OSError:
        connection.close()
        return
    outside = socket.create_connection(("127.0.0.1", goal))
    threading.Thread(target=copy, args=(outside, inside), daemon=True).start()
    copy(inside, outside)


def listen(kind):
    listener = socket.create_server(("127.0.0.1", 0))
    (directory / kind).write_text(kind)

    def serve():
        while True:
            connection = listener.accept()[0]
            threading.Thread(target=lead, args=(connection, kind), daemon=True).start()

    threading.Thread(target=serve).start()
    return listener.getsockname()[1]


print(*[listen(kind) for kind in kinds], flush=True)
