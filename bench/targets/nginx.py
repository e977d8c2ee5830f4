"""nginx as a plain proxy."""

from pathlib import Path

from bench.ask import Shape
from bench.install import debian_program, version_line
from bench.target import Stage, Target, await_answer, free_port, shape

CONFIG = """
worker_processes 1;
daemon off;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {scratch}/body;
  proxy_temp_path {scratch}/proxy;
  fastcgi_temp_path {scratch}/fastcgi;
  uwsgi_temp_path {scratch}/uwsgi;
  scgi_temp_path {scratch}/scgi;
  upstream openai {{
    server 127.0.0.1:{upstream};
    keepalive 256;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://openai;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class Nginx(Target):
    """One worker, connections kept alive on both sides, nothing logged, nothing buffered."""

    name = "nginx"
    what = "plain proxy: no keys, no log"

    def install(self, cache: Path) -> str:  # noqa: ARG002 - Debian installed it
        """From Debian."""
        self.program = debian_program("nginx", "nginx-light")
        return version_line([self.program, "-v"]).rpartition("/")[2]

    def start(self, stage: Stage) -> Shape:
        """Start the master and its worker."""
        port = free_port()
        config = stage.scratch / "nginx.conf"
        config.write_text(CONFIG.format(scratch=stage.scratch, upstream=stage.upstream_port, port=port))
        command = [self.program, "-p", str(stage.scratch), "-c", str(config), "-e", str(stage.scratch / "start.log")]
        self.child = stage.children.start(self.name, stage.core, command)
        await_answer(shape(port), self.child)
        return shape(port)
