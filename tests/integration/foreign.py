"""Calls a Cairn server through pynvim's msgpack_rpc; started by foreign.sh.

Prints "pass WHAT" or "fail WHAT: ..." a line. Usage: foreign.py HOST PORT UNIX-PATH
"""
import sys

from pynvim.msgpack_rpc import socket_session, tcp_session


class ServerError(Exception):
    pass


def check(what, got, expected):
    # repr tells 1 from 1.0 and True, which == does not.
    if repr(got) == repr(expected):
        print("pass", what, flush=True)
    else:
        print(f"fail {what}: got {got!r}, expected {expected!r}", flush=True)


def check_error(what, call, beginning):
    try:
        got = call()
    except ServerError as error:
        got = str(error)
        if got.startswith(beginning):
            got = beginning
    check(what, got, beginning)


def run(session, name):
    session.error_wrapper = ServerError
    request = session.request
    key = f"foreign:py:{name}"
    check(f"{name}: ping", request("ping"), "PONG")
    check(f"{name}: set", request("set", key, "søte bær"), True)
    check(f"{name}: get", request("get", key), "søte bær")
    check(f"{name}: get of nothing", request("get", "foreign:none"), None)
    nested = {"list": [1, -2.5, None, True, {"x": "y"}], "empty": {}, "none": [],
              "big": 2**63 - 1, "small": -(2**63), "bytes": b"\x00\xff", "long": "ab" * 50000}
    check(f"{name}: set of nested values", request("set", key, nested), True)
    back = request("get", key)
    check(f"{name}: get of nested values", back == nested, True)
    check(f"{name}: integers stay exact", [back["big"], back["small"]], [2**63 - 1, -(2**63)])
    check(f"{name}: get by path", request("get", [key, "list", 4, "x"]), "y")
    check(f"{name}: get from the end", request("get", [key, "list", -2]), True)
    check(f"{name}: set by path", request("set", [key, "list", 0], {"a": [1]}), True)
    check(f"{name}: get of what was set by path", request("get", [key, "list", 0, "a"]), [1])
    check(f"{name}: keys as bin", request("get", [key.encode(), b"list", 4, b"x"]), "y")
    check_error(f"{name}: error for an unknown method", lambda: request("frob", 1),
                "UNKNOWN_METHOD ")
    check_error(f"{name}: error for a wrong type", lambda: request("push", key, [1]),
                "WRONG_TYPE ")
    check_error(f"{name}: error for wrong parameters", lambda: request("set", key), "BAD_PARAMS ")
    check(f"{name}: the session goes on after errors", request("exists", key), 1)
    check(f"{name}: del", request("del", key), 1)
    session.close()


host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
run(tcp_session(host, port), "tcp")
run(socket_session(path), "unix")
