"""A BMC on pyghmi for the metal rig, for clients of cipher suites 3 and 17.

pyghmi's server speaks suite 3 whatever the client asks for. Here the session
takes the algorithms of the Open Session Request (IPMI 2.0, 13.17 to 13.24,
13.28 and table 22-20), boot parameters 0, 3 and 4 keep what was set, and the
FRU tells the serial number.

usage: bmc.py ADDRESS PORT UUID FRU-HEX CHASSIS PASSWORD-FILE
"""

import hashlib
import hmac
import os
import struct
import subprocess
import sys
import uuid

from pyghmi.ipmi import bmc
from pyghmi.ipmi.private import constants, serversession

# Cipher suite: authentication, integrity and confidentiality algorithm of the
# request, the hash behind them, and how much of a MAC goes over the wire.
SUITES = {
    (1, 1, 1): (hashlib.sha1, 12),
    (3, 4, 1): (hashlib.sha256, 16),
}
NO_CIPHER_SUITE_MATCH = 0x11
UNAUTHORIZED_NAME = 0x0D
INVALID_INTEGRITY_CHECK = 0x0F


class Session(serversession.ServerSession):
    """One RMCP+ session, with the suite that its client asked for."""

    def create_open_session_response(self, request):
        tag, self.clientsessionid = request[0], request[4:8]
        chosen = request[12], request[20], request[28]
        if chosen not in SUITES:
            return bytearray([tag, NO_CIPHER_SUITE_MATCH, 0, 0]) + self.clientsessionid
        self.currhashlib, self.currhashlen = SUITES[chosen]
        self.managedsessionid = os.urandom(4)
        self.privlevel = 4
        answer = bytearray([tag, 0, self.privlevel, 0])
        answer += self.clientsessionid + self.managedsessionid
        for kind, algorithm in enumerate(chosen):
            answer += bytearray([kind, 0, 0, 8, algorithm, 0, 0, 0])
        return answer

    def mac(self, key, *parts):
        return hmac.new(key, b"".join(bytes(part) for part in parts), self.currhashlib).digest()

    def role_and_name(self):
        return bytes([self.rolem, len(self.username)]) + self.username

    def answer(self, name, tag, status, body=b""):
        message = bytearray([tag, status, 0, 0]) + self.clientsessionid + body
        self.send_payload(message, constants.payload_types[name], retry=False)

    def _got_rakp1(self, data):
        self.Rm, self.rolem = data[8:24], data[24]
        self.maxpriv = self.rolem & 0b111
        self.username = bytes(data[28:28 + data[27]])
        password = self.authdata.get(self.username.decode("ascii", "replace"))
        if password is None:
            return self.answer("rakp2", data[0], UNAUTHORIZED_NAME)
        self.kuid = password.encode()
        self.kgx = self.kg or self.kuid
        self.Rc, self.uuiddata = os.urandom(16), self.uuid.bytes_le
        code = self.mac(self.kuid, self.clientsessionid, self.managedsessionid,
                        self.Rm, self.Rc, self.uuiddata, self.role_and_name())
        self.answer("rakp2", data[0], 0, self.Rc + self.uuiddata + code)

    def _got_rakp3(self, data):
        if data[1] != 0:
            return  # the client did not like our RAKP 2: it knows another password
        expected = self.mac(self.kuid, self.Rc, self.clientsessionid, self.role_and_name())
        if not hmac.compare_digest(expected, bytes(data[8:])):
            return self.answer("rakp4", data[0], INVALID_INTEGRITY_CHECK)
        self.sik = self.mac(self.kgx, self.Rm, self.Rc, self.role_and_name())
        self.k1 = self.mac(self.sik, b"\x01" * 20)
        self.k2 = self.mac(self.sik, b"\x02" * 20)
        self.aeskey = self.k2[:16]
        self.localsid = struct.unpack("<I", self.managedsessionid)[0]
        self.ipmicallback = self.handle_client_request
        self._send_rakp4(data[0], 0)

    def _send_rakp4(self, tag, status):
        check = self.mac(self.sik, self.Rm, self.managedsessionid, self.uuiddata)
        self.answer("rakp4", tag, status, check[:self.currhashlen])
        # From here on every packet is signed and encrypted.
        self.confalgo, self.integrityalgo = "aes", "negotiated"
        self.sequencenumber = 1
        self.sessionid = struct.unpack("<I", bytes(self.clientsessionid))[0]


serversession.ServerSession = Session


class RigBmc(bmc.Bmc):
    """Hands power and boot device to the chassis program."""

    def __init__(self, chassis, fru, **arguments):
        super().__init__(**arguments)
        self.chassis = chassis
        self.fru = fru
        self.parameters = {0: [0], 3: [0], 4: [0, 0]}

    def call(self, *arguments):
        done = subprocess.run([self.chassis, "rig1001", *arguments], check=True,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.stdout.strip()

    def get_power_state(self):
        return "on" if self.call("get", "power") == "power:1" else "off"

    def power_off(self):
        self.call("set", "power", "0")

    def power_on(self):
        self.call("set", "power", "1")

    def power_cycle(self):
        self.power_off()
        self.power_on()

    def power_reset(self):
        self.call("set", "reset", "1")

    def get_boot_device(self):
        return "network" if self.call("get", "boot") == "boot:pxe" else "default"

    def set_boot_device(self, device):
        self.call("set", "boot", "pxe" if device == "network" else "default")

    def get_system_guid(self):
        return self.uuid

    def get_system_boot_options(self, request, session):
        parameter = request["data"][0] & 0x7F
        if parameter in self.parameters:
            data = [1, parameter] + self.parameters[parameter]
            return session.send_ipmi_response(data=data)
        if parameter == 5 and self.get_boot_device() == "default":
            # An override that was used up is not valid any more.
            return session.send_ipmi_response(data=[1, 5, 0, 0, 0, 0, 0])
        return super().get_system_boot_options(request, session)

    def set_system_boot_options(self, request, session):
        parameter = request["data"][0] & 0x7F
        if parameter in self.parameters:
            self.parameters[parameter] = list(request["data"][1:]) or [0]
            return session.send_ipmi_response()
        return super().set_system_boot_options(request, session)

    def handle_raw_request(self, request, session):
        if request["netfn"] == 0x0A and request["command"] == 0x10:
            size = len(self.fru)
            return session.send_ipmi_response(data=[size & 0xFF, size >> 8, 0])
        if request["netfn"] == 0x0A and request["command"] == 0x11:
            _, low, high, count = request["data"][:4]
            offset = high << 8 | low
            piece = list(self.fru[offset:offset + count])
            return session.send_ipmi_response(data=[len(piece)] + piece)
        return super().handle_raw_request(request, session)


def main():
    address, port, guid, fru, chassis, password_file = sys.argv[1:]
    with open(password_file, encoding="ascii") as file:
        password = file.read().strip()
    server = RigBmc(chassis, bytes.fromhex(fru), authdata={"root": password},
                    port=int(port), address=address, bmcuuid=uuid.UUID(guid))
    print("listening", flush=True)
    server.listen()


main()
