# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP/2 client of an edge that keeps the rules, by python3-h2, but can send frames of its own (of
h2_frames) in between."""

import ssl

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from edge_fleet import HOST


class Exchange:
    """What has come of one stream."""

    def __init__(self):
        self.informational, self.status, self.fields, self.trailers = [], None, {}, None
        self.body, self.ended, self.reset = b"", False, None


class Client:
    """One connection. Windows are given back as content comes, unless `greedy` is False. on: a
    socket that has said h2, in place of a new one to the edge."""

    def __init__(self, edge, settings=None, window=None, greedy=True, host=HOST, on=None):
        context = edge.client_context()
        context.set_alpn_protocols(["h2"])
        self.socket = on or context.wrap_socket(edge.connect_tcp(), server_hostname=host,
                                                suppress_ragged_eofs=False)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.host, self.greedy = host, greedy
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False, validate_inbound_headers=False))
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values={
            SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_CONCURRENT_STREAMS: 100,
            **(settings or {})})
        self.h2.initiate_connection()
        if window:
            self.h2.increment_flow_control_window(window)
        self.streams, self.goaways, self.pings, self.settings = {}, [], [], {}
        self.order, self.closed = [], False  # order: (stream, bytes) of each DATA frame
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def send(self, data):
        """Bytes that h2 knows nothing of."""
        self.socket.sendall(data)

    def fields(self, method="GET", path="/", more=()):
        return [(":method", method), (":scheme", "https"), (":path", path),
                (":authority", self.host), *more]

    def ask(self, path="/", method="GET", fields=(), end=True, body=None, whole=None, now=True):
        """The number of a new stream. whole: the header section instead. now: or with the next."""
        stream = self.h2.get_next_available_stream_id()
        self.streams[stream] = Exchange()
        self.h2.send_headers(stream, whole or self.fields(method, path, fields),
                             end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        if now:
            self.flush()
        return stream

    def take(self, event):
        s = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings.update({k: v.new_value for k, v in event.changed_settings.items()})
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.error_code, event.last_stream_id))
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings.append(event.ping_data)
        elif s is None:
            return
        elif isinstance(event, h2.events.InformationalResponseReceived):
            s.informational.append(dict(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            s.fields = dict(event.headers)
            s.status = int(s.fields[":status"])
        elif isinstance(event, h2.events.TrailersReceived):
            s.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            s.body += event.data
            self.order.append((event.stream_id, len(event.data)))
            if self.greedy and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            s.ended = True
        elif isinstance(event, h2.events.StreamReset):
            s.reset = event.error_code

    def read(self):
        """Once; False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        if not data:
            self.closed = True
            return False
        # h2 takes nothing more after a GOAWAY, but streams go on.
        self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        for event in self.h2.receive_data(data):
            self.take(event)
        self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        self.flush()
        return True

    def until(self, condition, what="a condition"):
        while not condition():
            assert self.read(), f"the connection ended before {what}"

    def until_closed(self):
        """The code of the last GOAWAY."""
        while self.read():
            pass
        return self.goaways[-1][0] if self.goaways else None

    def finish(self, stream):
        """The exchange, once it has ended or was reset."""
        s = self.streams[stream]
        self.until(lambda: s.ended or s.reset is not None, f"the end of stream {stream}")
        return s

    def get(self, path="/", **more):
        return self.finish(self.ask(path, **more))


__all__ = ["Client", "ErrorCodes", "SettingCodes"]
