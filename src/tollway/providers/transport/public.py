"""Whether an address is one of the public internet, and not of a network that the gateway stands in."""

import ipaddress

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(OSError):
    """A name that must lead to the public internet leads elsewhere."""


def is_public(text: str) -> bool:
    """Whether this is an address of a host on the public internet; an IPv4 address within an IPv6 one counts as itself.

    Raises:
        ValueError: it is no address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.teredo is not None:
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return address.is_global and not address.is_multicast
