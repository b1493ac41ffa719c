"""An SFTP server on paramiko, which owes OpenSSH nothing: no fsync, no limits, no posix-rename, password only.

Arguments: folder to serve, user, password, how rename treats a name in use (`refuse` or `overwrite`).
Prints host:port and then its host key in known_hosts form. Ends when its standard input closes. Each password that
somebody tries is appended to the file `tried` beside the folder.
"""

import os
import socket
import sys
import threading

import paramiko

ROOT, USER, PASSWORD, RENAME = sys.argv[1:5]
KEY = paramiko.ECDSAKey.generate()


class Door(paramiko.ServerInterface):
    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def get_allowed_auths(self, username):
        return "password"

    def check_auth_password(self, username, password):
        with open(ROOT + ".tried", "a") as tried:
            tried.write(password + "\n")
        return paramiko.AUTH_SUCCESSFUL if (username, password) == (USER, PASSWORD) else paramiko.AUTH_FAILED


class Handle(paramiko.SFTPHandle):
    def stat(self):
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


def answer(work):
    try:
        work()
    except OSError as error:
        return paramiko.SFTPServer.convert_errno(error.errno)
    return paramiko.SFTP_OK


class Files(paramiko.SFTPServerInterface):
    def place(self, path):
        return ROOT + self.canonicalize(path)

    def lstat(self, path):
        try:
            return paramiko.SFTPAttributes.from_stat(os.lstat(self.place(path)))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    stat = lstat

    def open(self, path, flags, attributes):
        try:
            descriptor = os.open(self.place(path), flags, 0o644)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        stream = os.fdopen(descriptor, "wb" if writes else "rb")
        handle = Handle(flags)
        handle.filename, handle.readfile, handle.writefile = path, stream, stream
        return handle

    def remove(self, path):
        return answer(lambda: os.remove(self.place(path)))

    def mkdir(self, path, attributes):
        return answer(lambda: os.mkdir(self.place(path)))

    def rename(self, old, new):
        if RENAME == "refuse" and os.path.lexists(self.place(new)):
            return paramiko.SFTP_FAILURE
        return answer(lambda: os.replace(self.place(old), self.place(new)))


def serve(connection):
    transport = paramiko.Transport(connection)
    transport.add_server_key(KEY)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    try:
        transport.start_server(server=Door())
    except (paramiko.SSHException, EOFError):
        pass  # whoever came did not stay


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
host, port = listener.getsockname()
with open(ROOT + ".known_hosts", "w") as known:
    known.write(f"[{host}]:{port} {KEY.get_name()} {KEY.get_base64()}\n")
print(f"{host}:{port}", flush=True)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
sys.stdin.read()
