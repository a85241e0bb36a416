"""Which network addresses belong to the public internet.

A webhook's URL that leads into the own network would let whoever writes the URL, or answers for its
name, talk to services that trust everyone inside. Nothing is looked up here. Called by the webhooks.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

#: NAT64 and the deprecated IPv4-compatible form carry an IPv4 address in their last four bytes.
_CARRIERS = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))


def is_public(address: Address) -> bool:
    """Say whether an address is one that anybody on the internet may be reached by.

    False for private, shared (CGNAT), loopback, link-local, multicast, documentation and reserved
    ranges. An IPv6 address that carries an IPv4 address is as public as that one.
    """
    if isinstance(address, IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:  # fec0::/10, which `is_global` lets pass
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a packet for this one may end at."""
    if any(address in network for network in _CARRIERS) and int(address) > 1:  # not :: and ::1
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
