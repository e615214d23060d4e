"""A TCP proxy that can be cut, or fall silent as a machine does whose power fails."""

from __future__ import annotations

import ctypes
import selectors
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_DROP_EVERYTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0 bytes of every packet


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket


class Proxy:
    """Listens on a free port of the loopback address and passes everything on to the Unix socket `target`.

    `silent` True: the kernel drops every packet that the clients send, unanswered, keep-alive probes included,
    and nothing goes out: a half-open connection, without any right to change the machine's network.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: set[_Pair] = set()
        self._abandoned: list[_Pair] = []
        self._lock = threading.Lock()
        self._silent = False
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._pairs)

    def fall_silent(self) -> int:
        """From now on nobody hears anything; returns how many connections stand half-open."""
        with self._lock:
            self._silent = True
            _drop_packets(self._listener)
            self._abandoned += self._pairs
            for pair in self._pairs:
                _drop_packets(pair.client)
            return len(self._pairs)

    def be_back(self) -> None:
        """New connections pass again; the old ones stay dead without a word."""
        with self._lock:
            self._silent = False
            self._pairs -= set(self._abandoned)
            self._listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    def close(self) -> None:
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            pairs = [*self._pairs, *self._abandoned]
        for pair in pairs:
            _close(pair)
        self._thread.join()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._target))
            except OSError:
                client.close()
                continue
            pair = _Pair(client, server)
            with self._lock:
                self._pairs.add(pair)
            threading.Thread(target=self._carry, args=(pair,), daemon=True, name="proxied").start()

    def _carry(self, pair: _Pair) -> None:
        with selectors.DefaultSelector() as selector, suppress(OSError, ValueError):
            selector.register(pair.client, selectors.EVENT_READ, pair.server)
            selector.register(pair.server, selectors.EVENT_READ, pair.client)
            while selector.get_map():
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # we registered sockets
                    if pair in self._abandoned:
                        # Its client is gone from the network; the server is left in the dark as well.
                        selector.unregister(key.fileobj)
                        continue
                    if not data:
                        raise OSError
                    key.data.sendall(data)
        if pair in self._abandoned:
            return
        with self._lock:
            self._pairs.discard(pair)
        _close(pair)


def _drop_packets(connection: socket.socket) -> None:
    code = ctypes.create_string_buffer(_DROP_EVERYTHING)
    program = struct.pack("HL", 1, ctypes.addressof(code))
    connection.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _close(pair: _Pair) -> None:
    for end in (pair.client, pair.server):
        with suppress(OSError):
            end.close()
