// Another configuration is put in force while packets run: by what differs from the present one. What leaves is removed first,
// then comes what is new, so that numbers, names, devices and memory may go from the one to the other.

import NIOCore
import OpenFlow

extension Agent {
    /// Reads the configuration file again and puts it in force, after a reload that is still at it. A file that is refused
    /// changes nothing.
    func reload() -> EventLoopFuture<ConfigurationChange> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        let reload = lastReload.flatMap {
            let agent = bound.value
            do { return agent.use(try Configuration.load(path: agent.path)) } catch {
                return agent.loop.makeFailedFuture(error)
            }
        }
        lastReload = reload.map { _ in }.recover { _ in }
        return reload
    }

    private func use(_ new: Configuration) -> EventLoopFuture<ConfigurationChange> {
        let change: ConfigurationChange
        do {
            var difference = try configuration.change(to: new)
            // Groups that are made here and not needed after all are closed as those are that nobody names any more.
            try vms.makeGroups(new, isHuge: environment.hugePages)
            difference.certificatesRenewed = try endpoints.use(new.openflow)
            change = difference
        } catch let refusal as TrustGroup.GroupError {
            return loop.makeFailedFuture(StartError(description: "nothing was changed: \(refusal)"))
        } catch {
            return loop.makeFailedFuture(error)
        }
        let formerMetrics = configuration.metrics
        configuration = new
        requests.settings = new.openflow
        useSwitching(new.datapath)
        useLimits(new.openflow)
        for vm in change.adjustedVMs { vms.adjust(vm) }
        for service in change.adjustedServices { datapath.ports.adjust(service) }
        let bound = NIOLoopBound(self, eventLoop: loop)
        return remove(change).flatMapThrowing {
            let agent = bound.value
            let failures = agent.add(change)
            try agent.datapath.portsChanged(entries: agent.model.entries)
            agent.watchVMs()
            for address in change.removedListeners { agent.endpoints.stopListening(at: address) }
            for address in change.removedControllers { agent.endpoints.disconnect(from: address) }
            for address in change.addedControllers { agent.endpoints.connect(to: address) }
            agent.chooseFailMode()
            agent.log.info(
                "reloaded",
                metadata: [
                    "ports": "+\(change.ports.coming.count) -\(change.ports.leaving.count)",
                    "vms": "+\(change.vms.coming.count) -\(change.vms.leaving.count)",
                    "services": "+\(change.services.coming.count) -\(change.services.leaving.count)",
                ]
            )
            if !failures.isEmpty { throw StartError(description: failures.joined(separator: "\n")) }
        }.flatMap {
            let agent = bound.value
            let listening = change.addedListeners.map { agent.endpoints.listen(at: $0) }
            return EventLoopFuture.andAllSucceed(listening, on: agent.loop)
        }.flatMap {
            let agent = bound.value
            guard formerMetrics != agent.configuration.metrics else { return agent.loop.makeSucceededVoidFuture() }
            _ = agent.metricsServer?.close()
            agent.metricsServer = nil
            return agent.openMetrics()
        }.map { change }
    }

    /// Removes what leaves; done when no worker uses it any more. Only then can a device be opened again.
    private func remove(_ change: ConfigurationChange) -> EventLoopFuture<Void> {
        var removals: [EventLoopFuture<Void>] = []
        func wait(for remove: (@escaping () -> Void) -> Void) {
            let promise = loop.makePromise(of: Void.self)
            remove { promise.succeed() }
            removals.append(promise.futureResult)
        }
        for port in change.ports.leaving { wait { removePort(PortNumber(rawValue: port.number), done: $0) } }
        for service in change.services.leaving { wait { removePort(PortNumber(rawValue: service.number), done: $0) } }
        for vm in change.vms.leaving { wait { removeVM(vm, done: $0) } }
        return EventLoopFuture.andAllSucceed(removals, on: loop)
    }

    /// Adds what comes. What fails is not part of the configuration then, so that the next reload tries it again.
    ///
    /// - Returns: What failed, and why.
    private func add(_ change: ConfigurationChange) -> [String] {
        var failures: [String] = []
        func attempt(_ add: () throws -> Void, orElse leave: () -> Void) {
            do { try add() } catch {
                failures.append("\(error)")
                leave()
            }
        }
        for port in change.ports.coming {
            attempt({ try addPort(port) }, orElse: { configuration.ports.removeAll { $0.number == port.number } })
        }
        for vm in change.vms.coming {
            attempt({ try addVM(vm) }, orElse: { configuration.vms.removeAll { $0.number == vm.number } })
        }
        for service in change.services.coming {
            attempt(
                { try addService(service) },
                orElse: { configuration.services.removeAll { $0.number == service.number } }
            )
        }
        return failures
    }
}
