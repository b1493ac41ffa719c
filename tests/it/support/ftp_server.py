"""A small FTP server with TLS that misbehaves as told, for what a real one will not do.

Arguments: what to do wrong, certificate, key, file to log every command to. Prints where it listens; ends with its
standard input.
  none      nothing
  no-tls    refuses AUTH TLS
  no-prot   refuses to protect data
  short     says 226 though half of the data was lost
  aborted   takes half of the data, then 426
  resume    takes two files in a session; of a third it says that its connection does not resume it
"""
import os
import socket
import ssl
import sys
import threading

wrong, certificate, key, heard = sys.argv[1:5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
files = {}


def serve(plain):
    state = {"stream": plain.makefile("rwb"), "from": "", "data": None}

    def say(text):
        state["stream"].write((text + "\r\n").encode())
        state["stream"].flush()

    def transfer():
        connection, _ = state["data"].accept()
        return context.wrap_socket(connection, server_side=True)

    say("220 ready")
    for line in iter(lambda: state["stream"].readline(), b""):
        line = line.decode().rstrip("\r\n")
        with open(heard, "a") as log:
            log.write(line + "\n")
        word, _, rest = line.partition(" ")
        if word == "AUTH" and wrong != "no-tls":
            say("234 go on")
            state["stream"] = context.wrap_socket(plain, server_side=True).makefile("rwb")
        elif word == "PROT" and wrong == "no-prot":
            say("534 data goes in clear here")
        elif word == "USER":
            say("331 password")
        elif word == "PASS":
            say("230 welcome")
        elif word in ("PBSZ", "PROT", "TYPE", "OPTS", "NOOP"):
            say("200 fine")
        elif word == "PASV":
            state["data"] = socket.create_server(("127.0.0.1", 0))
            port = state["data"].getsockname()[1]
            # An address that is not this server's.
            say(f"227 go to (192,0,2,1,{port // 256},{port % 256})")
        elif word == "STOR":
            say("150 send")
            data = transfer()
            body = b""
            while chunk := data.recv(65536):
                body += chunk
                if wrong == "aborted":
                    break
            data.close()
            state["stored"] = state.get("stored", 0) + 1
            if wrong == "resume" and state["stored"] > 2:
                say("522 SSL connection failed; session reuse required")
                continue
            files[rest] = body[: len(body) // 2] if wrong in ("short", "aborted") else body
            say("426 gone" if wrong == "aborted" else "226 done")
        elif word == "RETR" and rest in files:
            say("150 there")
            data = transfer()
            data.sendall(files[rest])
            data.unwrap()
            data.close()
            say("226 done")
        elif word == "SIZE" and rest in files:
            say(f"213 {len(files[rest])}")
        elif word == "RNFR" and rest in files:
            state["from"] = rest
            say("350 to what")
        elif word == "RNTO":
            files[rest] = files.pop(state["from"])
            say("250 done")
        elif word == "DELE" and rest in files:
            del files[rest]
            say("250 done")
        elif word == "MKD":
            say("257 made")
        elif word in ("SIZE", "DELE", "RNFR", "RETR", "MDTM"):
            say("550 no such file")
        else:
            say("500 what")


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
sys.stdin.read()
os._exit(0)
