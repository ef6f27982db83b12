"""What the official client of the Superfacility API sends: witness.py BASE TOKEN_URL KEY PATH FILE

Asks how the machine is and whose the key is, uploads FILE to PATH, lists and reads it.
"""

import sys

from sfapi_client import Client

base, token_url, key, path, file = sys.argv[1:]
with Client(key=key, api_base_url=base, token_url=token_url) as client:
    machine = client.compute("perlmutter")
    user = client.user()
    assert user.name == "alice", user
    assert len(user.clients()) == 1
    directory, name = path.rsplit("/", 1)
    [target] = machine.ls(directory, directory=True)
    with open(file, "rb") as data:
        (target / name).upload(data)
    [there] = machine.ls(path)
    with open(file, "rb") as data:
        assert there.download(binary=True).read() == data.read()
