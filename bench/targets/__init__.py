"""The targets, in the order of the table."""

from bench.target import Target
from bench.targets.direct import Direct
from bench.targets.envoy import Envoy
from bench.targets.ferro import Ferro
from bench.targets.litellm import LiteLLM
from bench.targets.nginx import Nginx
from bench.targets.portkey import Portkey
from bench.targets.tollway import Tollway

ALL: tuple[type[Target], ...] = (Direct, Nginx, Envoy, Tollway, Ferro, Portkey, LiteLLM)
