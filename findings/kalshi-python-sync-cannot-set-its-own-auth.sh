#!/bin/sh
# kalshi_python_sync 3.34.0 (Kalshi's official SDK) cannot set its own credentials: KalshiClient.set_kalshi_auth() raises a
# NameError before it has read the key, because the module never imports KalshiAuth.
#
# What one would expect: the method of the client that takes a key id and a private key file signs the requests from then on.
# Nothing is wrong with the key here, it is made for the purpose and readable. The other way works: a Configuration with the
# attributes api_key_id and private_key_pem, given to KalshiClient, signs every request, so the defect stays unseen by whoever
# follows the examples, and meets whoever builds the client first and logs in later.
#
# Seen: NameError: name 'KalshiAuth' is not defined; the KALSHI-ACCESS-SIGNATURE header is there with a Configuration.
set -eu
python=$(command -v python3.14 || command -v python3.13) || { echo "needs Python 3.13 or newer, as the SDK does" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "kalshi_python_sync==3.34.0" 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kalshi_python_sync import Configuration, KalshiClient

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pem = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
Path("key.pem").write_bytes(pem)

try:
    KalshiClient(Configuration(host="http://127.0.0.1:9")).set_kalshi_auth("key-id", "key.pem")
    said = "nothing"
except NameError as error:
    said = f"NameError: {error}"
print(f"set_kalshi_auth: {said}")

configuration = Configuration(host="http://127.0.0.1:9")
configuration.api_key_id, configuration.private_key_pem = "key-id", pem.decode()
client = KalshiClient(configuration)
print(f"with a Configuration: {type(client.kalshi_auth).__name__}")
assert said == "NameError: name 'KalshiAuth' is not defined"
assert type(client.kalshi_auth).__name__ == "KalshiAuth"
PYTHON
