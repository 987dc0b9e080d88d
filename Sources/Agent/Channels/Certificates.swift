// The key and the certificates that TLS connections are made with. Files that have changed are noticed when the next connection
// is made, as Open vSwitch does it: a renewed certificate needs no reload, and connections that are open stay.

import Logging
import TLS

final class Certificates {
    private let files: TLSFiles
    private let log: Logger
    private var context: TLSContext
    /// How the files were when they were last read, whether they were good or not: what is broken is read, and complained of, once.
    private(set) var stamp: TLSFiles.Stamp

    /// Reads the files. Throws what is wrong with the first of them that is refused.
    init(files: TLSFiles, log: Logger) throws(TLSFiles.Failure) {
        (self.files, self.log) = (files, log)
        // Before they are read: what changes meanwhile is noticed later.
        stamp = files.stamp
        context = try TLSContext(files: files)
    }

    /// For a new connection. Where changed files are refused, the old ones are used on.
    func current() -> TLSContext {
        let now = files.stamp
        guard now != stamp else { return context }
        stamp = now
        do throws(TLSFiles.Failure) {
            context = try TLSContext(files: files)
            log.info("certificates renewed", metadata: ["certificate": "\(files.certificate)"])
        } catch {
            log.error(
                "renewed certificates are refused, and the old ones used on",
                metadata: ["reason": "\(error)"]
            )
        }
        return context
    }
}
