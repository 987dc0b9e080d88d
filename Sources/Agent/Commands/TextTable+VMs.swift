// `ringway show vms` for people.

extension TextTable {
    package init(vms: [VMReport]) {
        self.init([
            ">PORT", "NAME", "GROUP", "STATE", ">ATTACHED", "LAST END", ">IN HAND", ">TX PACKETS", ">RX PACKETS",
            ">COPIED", ">MADE", ">MESSAGES", ">VIOLATIONS",
        ])
        for vm in vms {
            add([
                "\(vm.number)", vm.name, vm.group, vm.state, "\(vm.attachments)", vm.lastEnd ?? "-",
                "\(vm.lent)", "\(vm.transmitPackets)", "\(vm.receivePackets)",
                "\(vm.copied)",
                "\(vm.made)", "\(vm.messagesSent)/\(vm.messagesReceived)",
                "\(vm.violations)",
            ])
        }
    }
}
