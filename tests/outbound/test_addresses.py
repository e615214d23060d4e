"""What is open to all the world may be asked, and nothing else."""

from __future__ import annotations

import ipaddress
import time

import pytest

from postcall.outbound import addresses
from postcall.outbound.addresses import Refused, Unreachable, is_open_to_all, look_up, read

URL = "https://hooks.northgate.example/x"


def leading_to(*found: str) -> addresses.Resolver:
    return lambda _host, _port: found


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808"])
def test_it_lets_public_addresses_be_asked(address: str) -> None:
    assert look_up(URL, leading_to(address), ()) == [ipaddress.ip_address(address)]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "fe80::1",
        "fe80::1%lo",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
    ],
)
def test_it_refuses_what_only_this_machine_or_its_network_reaches(address: str) -> None:
    with pytest.raises(Refused, match="POSTCALL_OUTBOUND_ALLOW"):
        look_up(URL, leading_to(address), ())


def test_it_refuses_a_host_that_leads_to_a_private_address_as_well() -> None:
    with pytest.raises(Refused):
        look_up(URL, leading_to("93.184.216.34", "10.0.0.1"), ())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "localhost"])
def test_it_refuses_this_machine_in_every_notation(host: str) -> None:
    with pytest.raises(Refused):
        look_up(f"https://{host}/", allow=())


def test_it_lets_be_asked_what_the_environment_allows() -> None:
    assert look_up("http://hooks.northgate.example", leading_to("10.1.2.3"), ("10.1.0.0/16",))
    assert look_up("http://hooks.northgate.example", leading_to("::ffff:10.1.2.3"), ("10.1.0.0/16",))
    with pytest.raises(Refused):
        look_up("http://hooks.northgate.example", leading_to("10.2.2.3"), ("10.1.0.0/16",))


def test_it_sends_nothing_readable_over_the_internet() -> None:
    with pytest.raises(Refused, match="https://"):
        look_up("http://hooks.northgate.example", leading_to("93.184.216.34"), ())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.northgate.example",
        "//hooks.northgate.example",
        "ftp://hooks.northgate.example",
        "file:///etc/passwd",
        "gopher://hooks.northgate.example",
        "https://",
        "https:///x",
        "https://user:secret@hooks.northgate.example",
        "https://@hooks.northgate.example",
        "https://hooks.northgate.example:0",
        "https://hooks.northgate.example:99999",
        "https://hooks.northgate.example#part",
        "https://hooks.northgate.example\\@other.example",
        "https://hooks.northgate.example/a b",
        "https://hooks.northgate.example/a\r\nX-Evil: 1",
        "https://[fe80::1%25lo]/",
        "https://" + "a" * 70 + "é.example",
        "https://hooks.northgate.example/" + "a" * 2000,
    ],
)
def test_it_refuses_what_is_no_plain_address(url: str) -> None:
    with pytest.raises(Refused):
        read(url)


def test_it_reads_an_address_as_it_will_be_asked() -> None:
    to = read("https://Hooks.Northgate.example.:8443/päth?q=a b".replace(" ", "%20"))
    assert (to.host, to.port, to.target) == ("hooks.northgate.example", 8443, "/p%C3%A4th?q=a%20b")
    assert to.host_header == "hooks.northgate.example:8443"
    assert read("https://[2606:4700::1111]").host_header == "[2606:4700::1111]"


def test_it_names_a_host_that_is_not_known() -> None:
    def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(Unreachable, match=r"hooks\.northgate\.example is not known"):
        look_up(URL, nowhere, ())


def test_it_waits_for_no_resolver_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_host: str, _port: int) -> list[str]:
        time.sleep(0.5)
        return ["93.184.216.34"]

    monkeypatch.setattr(addresses, "RESOLVE_S", 0.05)
    with pytest.raises(Unreachable):
        look_up(URL, slow, ())


def test_it_knows_ipv4_in_ipv6_for_what_it_is() -> None:
    assert is_open_to_all(ipaddress.ip_address("::ffff:93.184.216.34"))
    assert not is_open_to_all(ipaddress.ip_address("::ffff:192.168.0.1"))
