"""Runs a command on a terminal of its own and prints what it drew: window.py COLUMNS ROWS FILE COMMAND…

What it draws goes to FILE as it comes. A byte on stdin is typed there (^C is 0x03); at the end a
line of JSON: the exit code, and whether the terminal's settings are those from before.
"""
import fcntl, json, os, pty, select, struct, sys, termios

columns, rows, out, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
leader, follower = pty.openpty()
fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
before = termios.tcgetattr(follower)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(follower, number)
    os.environ["TERM"] = "xterm"
    os.execv(command[0], command)
with open(out, "wb", buffering=0) as drawn:
    while True:
        readable, _, _ = select.select([leader, 0], [], [], 0.1)
        if leader in readable:
            drawn.write(os.read(leader, 65536))
            continue
        if 0 in readable:
            os.write(leader, os.read(0, 1))
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "same": termios.tcgetattr(follower) == before}))
