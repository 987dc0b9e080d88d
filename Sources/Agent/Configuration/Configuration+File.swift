// Reads a configuration file.

import Foundation

extension Configuration {
    /// The largest file that is read; ports of a full switch take a hundredth of it.
    private static let largestFile = 4 << 20

    /// Reads the file. Throws all mistakes that it finds, or why it cannot be read.
    ///
    /// - Parameter checksFiles: Whether the files that it names are read, and what is wrong with them counts as well.
    package static func load(
        path: String,
        availableCores: [Int] = ProcessorSet.available,
        checksFiles: Bool = true
    ) throws(ConfigurationErrors) -> Configuration {
        func refuse(_ problem: String) -> ConfigurationErrors {
            ConfigurationErrors(errors: [ConfigurationError(file: path, key: "", problem: problem)])
        }
        let data: Data
        do {
            guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileNoSuchFile) }
            data = try file.read(upToCount: largestFile + 1) ?? Data()
        } catch {
            let reason = FileManager.default.fileExists(atPath: path) ? "cannot be read" : "there is no such file"
            throw refuse("\(reason): a readable file is wanted")
        }
        guard data.count <= largestFile else {
            throw refuse("the file is too large: at most \(sizeText(largestFile)) are read")
        }
        guard let text = String(bytes: data, encoding: .utf8) else {
            throw refuse("the file is not UTF-8: a text is wanted")
        }
        return try parse(text, file: path, availableCores: availableCores, checksFiles: checksFiles)
    }
}
