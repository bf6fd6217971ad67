"""Two boxes at once, of one user: nothing that one does is seen in the other, and neither can end the other."""

from __future__ import annotations

import json

from boxes import needs_box, opened

pytestmark = needs_box
MARK = "left-by-the-other-box"
LEAVE = f"""
import multiprocessing.shared_memory as memory, os, socket, time
for place in (".", "/tmp", "/dev/shm"):
    open(os.path.join(place, "{MARK}"), "w").write("{MARK}")
listening = socket.socket(socket.AF_UNIX)
listening.bind("\\0{MARK}")
listening.listen()
tcp = socket.create_server(("127.0.0.1", 4711))
print("ready", flush=True)
time.sleep(1000)
"""
LOOK = f"""
import json, os, signal, socket

def is_reached(family, address):
    with socket.socket(family) as asking:
        try:
            asking.connect(address)
        except OSError:
            return False
        return True

def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            yield open(f"/proc/{{pid}}/cmdline").read()
        except OSError:
            continue

said = {{
    "files": [place for place in (".", "/tmp", "/dev/shm") if "{MARK}" in os.listdir(place)],
    "abstract": is_reached(socket.AF_UNIX, "\\0{MARK}"),
    "tcp": is_reached(socket.AF_INET, ("127.0.0.1", 4711)),
    "processes": sum("{MARK}" in line for line in processes()),
}}
print(json.dumps(said), flush=True)
try:
    os.kill(-1, signal.SIGKILL)
except ProcessLookupError:
    pass
"""


async def test_files_sockets_and_processes_of_one_box_are_not_in_the_other() -> None:
    async with opened() as first, opened() as second:
        leaving = await first.start(["python3", "-c", LEAVE])
        assert b"ready" == (await leaving.read_line() or b"").strip()

        seen_in_the_same = await first.exec(["python3", "-c", LOOK.partition("try:\n    os.kill")[0]])
        seen_in_the_other = await second.exec(["python3", "-c", LOOK])

        same = {"files": [".", "/tmp", "/dev/shm"], "abstract": True, "tcp": True, "processes": 1}
        said = json.loads(seen_in_the_same.stdout)
        assert same == {**said, "processes": min(said["processes"], 1)}
        other = json.loads(seen_in_the_other.stdout)
        assert ([], False, False) == (other["files"], other["abstract"], other["tcp"])
        # the looking program itself names the mark
        assert other["processes"] == said["processes"] - 1
        assert b"here" == (await first.exec(["echo", "-n", "here"])).stdout
