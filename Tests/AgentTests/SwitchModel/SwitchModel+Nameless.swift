import Agent
import NIOCore
import OpenFlow

extension SwitchModel {
    /// A switch that says nothing of itself, for tests of what it does.
    convenience init(datapath: any Datapath, now: @escaping () -> NIODeadline = { .now() }) {
        self.init(
            datapathID: 1,
            description: SwitchDescription(
                manufacturer: "",
                hardware: "",
                software: "",
                serialNumber: "",
                datapath: ""
            ),
            datapath: datapath,
            now: now
        )
    }
}
