"""Makes the authority and the certificate of 127.0.0.1 and localhost that tests of TLS use, from 2020 to 2120. Of use for
nothing else: the key is public. Needs `cryptography` from PyPI: python3 make.py"""
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = pathlib.Path(__file__).parent
FROM, TO = datetime.datetime(2020, 1, 1), datetime.datetime(2120, 1, 1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, *extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(TO)
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    return builder


def usage(**of):
    of_all = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
              "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{one: of.get(one, False) for one in of_all})


def write(file, thing):
    (HERE / file).write_bytes(thing.public_bytes(serialization.Encoding.PEM))


authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
AUTHORITY = "Counterfoil test authority"
authority = certificate(
    AUTHORITY, authority_key, AUTHORITY,
    (x509.BasicConstraints(ca=True, path_length=0), True),
    (usage(key_cert_sign=True), True),
    (x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), False),
).sign(authority_key, hashes.SHA256())
server = certificate(
    "localhost", key, AUTHORITY,
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (usage(digital_signature=True), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    (x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False),
    (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False),
).sign(authority_key, hashes.SHA256())
write("authority.pem", authority)
write("server.pem", server)
(HERE / "server-key.pem").write_bytes(
    key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
)
