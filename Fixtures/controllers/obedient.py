# A controller on os-ken that does what the lines of the file $WORDS tell it, each with one answer:
#
#   role master|slave|equal|nochange GENERATION    the switch's role reply
#   flows COOKIE PRIORITY                          rules between ports 1 and 2, both ways
#   delete COOKIE                                  deletes the rules with this cookie
#
# Prints `connected` and, for each line, `answer: ` with a role and a generation, `done`, or an error's type and code.

import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, HANDSHAKE_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.ofproto import ofproto_v1_3

ROLES = ["nochange", "equal", "master", "slave"]


class Obedient(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        self.datapath = event.msg.datapath
        self.failed = None
        print("connected", flush=True)
        hub.spawn(self.obey)

    def obey(self):
        with open(os.environ["WORDS"]) as words:
            line = ""
            while True:
                line += words.readline()
                if line.endswith("\n"):
                    self.carry_out(line.split())
                    line = ""
                else:
                    hub.sleep(0.01)

    def carry_out(self, words):
        proto, parser, datapath = self.datapath.ofproto, self.datapath.ofproto_parser, self.datapath
        if words[0] == "role":
            datapath.send_msg(parser.OFPRoleRequest(datapath, ROLES.index(words[1]), int(words[2])))
            return
        self.failed = None
        cookie = int(words[1])
        if words[0] == "flows":
            for source, destination in [(1, 2), (2, 1)]:
                actions = [parser.OFPActionOutput(destination)]
                instructions = [parser.OFPInstructionActions(proto.OFPIT_APPLY_ACTIONS, actions)]
                match = parser.OFPMatch(in_port=source)
                datapath.send_msg(
                    parser.OFPFlowMod(
                        datapath, cookie=cookie, priority=int(words[2]), match=match, instructions=instructions
                    )
                )
        elif words[0] == "delete":
            datapath.send_msg(
                parser.OFPFlowMod(
                    datapath,
                    cookie=cookie,
                    cookie_mask=2**64 - 1,
                    table_id=proto.OFPTT_ALL,
                    command=proto.OFPFC_DELETE,
                    out_port=proto.OFPP_ANY,
                    out_group=proto.OFPG_ANY,
                )
            )
        datapath.send_msg(parser.OFPBarrierRequest(datapath))

    @set_ev_cls(ofp_event.EventOFPBarrierReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def barrier(self, event):
        self.answer(self.failed or "done")

    @set_ev_cls(ofp_event.EventOFPRoleReply, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def role(self, event):
        self.answer("%s %d" % (ROLES[event.msg.role], event.msg.generation_id))

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [HANDSHAKE_DISPATCHER, CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, event):
        text = "error %d %d" % (event.msg.type, event.msg.code)
        # What a barrier follows is answered by that.
        if event.msg.type == ofproto_v1_3.OFPET_ROLE_REQUEST_FAILED:
            self.answer(text)
        else:
            self.failed = text

    @staticmethod
    def answer(text):
        print("answer: %s" % text, flush=True)
