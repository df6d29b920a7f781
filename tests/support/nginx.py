# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as an origin: one process, in the foreground, on a free port of 127.0.0.1."""

import perigee
from held_port import HeldPort

PROGRAM = "/usr/sbin/nginx"


class Nginx(perigee.Process):
    """server: the lines of one server block, but for `listen`, whose words behind the address are
    `listen`. http: more for the http block. Lines of .access_log_path are of the format that `log`
    says."""

    def __init__(self, directory, server, listen="", http="", log="$status"):
        self.directory = directory / "nginx"
        self.directory.mkdir(exist_ok=True)
        self.access_log_path = self.directory / "access.log"
        self.held = HeldPort()  # from its start to its end, and while it is started anew
        self.port = self.held.number
        self.write(server, listen, http, log)
        super().__init__([PROGRAM, "-c", self.directory / "nginx.conf", "-p", self.directory],
                         self.directory / "output")
        perigee.wait_for(lambda: self.held.is_listened_on() or not self.running(),
                         "nginx to listen")
        assert self.running(), f"nginx does not start:\n{self.log()}"

    def write(self, server, listen, http, log):
        d = self.directory
        (d / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {d}/pid; error_log stderr info;
events {{ worker_connections 512; }}
http {{
log_format test '{log}';
access_log {d}/access.log test;
client_body_temp_path {d}/body; proxy_temp_path {d}/proxy; fastcgi_temp_path {d}/fastcgi;
uwsgi_temp_path {d}/uwsgi; scgi_temp_path {d}/scgi;
{http}
server {{ listen 127.0.0.1:{self.port} {listen};
{server}
}} }}
""")

    def restart(self, number):
        """Ends it by that signal, and starts it again at the same port."""
        self.send_signal(number)
        self.wait()
        self.log_file.close()
        super().__init__(self.argv, self.log_path)
        perigee.wait_for(self.held.is_listened_on, "nginx to listen again")

    def origin(self, more=""):
        return f'servers: ["127.0.0.1:{self.port}"], {more}'

    def access_log(self, n):
        """The first n lines, once they are there."""
        def lines():
            found = self.access_log_path.read_text().splitlines()
            return found if len(found) >= n else None

        return perigee.wait_for(lines, f"{n} lines in nginx's log")
