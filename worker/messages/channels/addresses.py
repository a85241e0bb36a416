"""Says which network addresses belong to the public internet.

A webhook URL that leads into the internal network would let the author of the URL, or the owner of its
domain name, reach services that trust everyone inside. This module looks nothing up. Called by
`worker.messages.channels.webhook`.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

#: NAT64 and the deprecated IPv4-compatible form carry an IPv4 address in their last four bytes.
_CARRIERS = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public internet.

    False for private, shared (CGNAT), loopback, link-local, multicast, documentation and reserved
    ranges. For an IPv6 address that carries an IPv4 address, the IPv4 address decides.
    """
    if isinstance(address, IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:  # fec0::/10, which `is_global` includes
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address at which a packet for this IPv6 address may arrive."""
    if any(address in network for network in _CARRIERS) and int(address) > 1:  # not :: and ::1
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
