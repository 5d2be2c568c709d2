# SPDX-License-Identifier: Apache-2.0
"""issuer.py -- who makes tokens (JWT) and publishes its keys, as Kubernetes does; and who forges.

Keys and signatures are made by the `openssl` command.
"""
import base64
import hmac
import json
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}
CURVES = {"P-256": 32, "P-384": 48, "P-521": 66}


def openssl(*arguments, data: bytes | None = None) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], input=data, check=True,
                          capture_output=True, timeout=60).stdout


def encode(data: bytes | dict) -> str:
    if isinstance(data, dict):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A private key, and what is published of it."""

    def __init__(self, directory: Path, key_id: str, kind: str = "RSA", bits: int = 2048):
        self.key_id = key_id
        self.kind = kind  # "RSA", or a curve
        self._file = directory / f"{key_id}-{kind}-{bits}.pem"
        options = (("RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}") if kind == "RSA"
                   else ("EC", "-pkeyopt", f"ec_paramgen_curve:{kind}"))
        if not self._file.exists():
            openssl("genpkey", "-algorithm", *options, "-out", self._file)
        self.public_pem = openssl("pkey", "-in", self._file, "-pubout")

    def jwk(self, **changes) -> dict:
        if self.kind == "RSA":
            modulus = openssl("rsa", "-in", self._file, "-noout", "-modulus").decode()
            numbers = {"kty": "RSA", "n": encode(bytes.fromhex(modulus.split("=")[1].strip())),
                       "e": "AQAB"}
        else:
            size = CURVES[self.kind]
            point = openssl("pkey", "-in", self._file, "-pubout", "-outform", "DER")[-2 * size:]
            numbers = {"kty": "EC", "crv": self.kind, "x": encode(point[:size]),
                       "y": encode(point[size:])}
        return numbers | {"kid": self.key_id, "use": "sig"} | changes

    def sign(self, algorithm: str, text: bytes) -> bytes:
        padding = (("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
                   if algorithm.startswith("PS") else ())
        signature = openssl("dgst", "-" + HASHES[algorithm[2:]], "-sign", self._file, *padding,
                            data=text)
        return signature if self.kind == "RSA" else self._raw(signature)

    def _raw(self, der: bytes) -> bytes:
        """ECDSA's two numbers, as JWS wants them: side by side."""
        at = 3 if der[1] & 0x80 else 2
        numbers = b""
        for _ in range(2):
            size = der[at + 1]
            number = int.from_bytes(der[at + 2:at + 2 + size], "big")
            numbers += number.to_bytes(CURVES[self.kind], "big")
            at += 2 + size
        return numbers


class Issuer:
    def __init__(self, name: str, *keys: Key, audience: str = "ackd"):
        self.name = name
        self.keys = list(keys)
        self.audience = audience

    def jwks(self) -> dict:
        return {"keys": [key.jwk() for key in self.keys]}

    def claims(self, subject: str, **changes) -> dict:
        now = int(time.time())
        claims = {"iss": self.name, "sub": subject, "aud": [self.audience], "exp": now + 600,
                  "nbf": now, "iat": now} | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, subject: str, key: Key | None = None, algorithm: str = "RS256",
              header: dict | None = None, **changes) -> str:
        key = key or self.keys[0]
        header = {"alg": algorithm, "kid": key.key_id} | (header or {})
        text = f"{encode(header)}.{encode(self.claims(subject, **changes))}"
        return f"{text}.{encode(key.sign(algorithm, text.encode()))}"


def twice(fields: dict) -> bytes:
    """An object in which each name stands twice."""
    members = json.dumps(fields).encode()[1:-1]
    return b"{" + members + b", " + members + b"}"


def forged(token: str, secret: bytes = b"") -> dict[str, str]:
    """What is made of a good token without the key."""
    header, claims, signature = token.split(".")
    fields = json.loads(base64.urlsafe_b64decode(header + "=="))
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))

    def with_header(**changes):
        return f"{encode(fields | changes)}.{claims}"

    def symmetric(algorithm):
        text = with_header(alg=algorithm)
        hash_name = HASHES[algorithm[2:]]
        return f"{text}.{encode(hmac.new(secret, text.encode(), hash_name).digest())}"
    other = encode(said | {"sub": "system:serviceaccount:kube-system:admin"})
    return {
        "alg none, no signature": with_header(alg="none") + ".",
        "alg none, its signature": with_header(alg="none") + f".{signature}",
        "alg None": with_header(alg="None") + f".{encode(b'x')}",
        "no alg": f"{encode({'kid': fields['kid']})}.{claims}.{signature}",
        "HS256 by the public key": symmetric("HS256"),
        "HS512 by the public key": symmetric("HS512"),
        "other claims": f"{header}.{other}.{signature}",
        "no signature": f"{header}.{claims}.",
        "two parts": f"{header}.{claims}",
        "four parts": f"{token}.{signature}",
        "cut signature": token[:-8],
        "other signature": token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8),
        "padded": token + "==",
        "a blank within": f"{header}. {claims}.{signature}",
        "other algorithm of its family": with_header(alg="RS512") + f".{signature}",
        "PSS for PKCS": with_header(alg="PS256") + f".{signature}",
        "ES256 for RS256": with_header(alg="ES256") + f".{signature}",
        "header no object": f"{encode(b'[]')}.{claims}.{signature}",
        "claims no JSON": f"{header}.{encode(b'{')}.{signature}",
        "a name twice": f"{encode(twice(fields))}.{claims}.{signature}",
        "deep": f"{header}.{encode(b'[' * 4000)}.{signature}",
    }


class KeyServer:
    """Serves an issuer's keys by HTTP, or by HTTPS with `identity` (tests/tls's)."""

    def __init__(self, keys: dict, identity=None):
        self.body = json.dumps(keys).encode()
        self.status = 200
        self.headers: list[tuple[str, str]] = []
        self.asked: list[str | None] = []  # the Authorization of each request
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.headers["Authorization"])
                self.send_response(outer.status)
                for name, value in outer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_):
                pass
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if identity is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.certificate, identity.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if identity is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/openid/v1/jwks"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def publish(self, keys: dict) -> None:
        self.body = json.dumps(keys).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
