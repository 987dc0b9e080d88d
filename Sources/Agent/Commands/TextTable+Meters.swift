// `ringway show meters` for people.

extension TextTable {
    /// A line for each band; a meter without one has a line, too.
    package init(meters: [MeterReport]) {
        self.init([">METER", "FLAGS", ">FLOWS", ">PACKETS", ">BYTES", "BAND", ">RATE", ">BURST", ">EXCEEDED"])
        for meter in meters {
            let start = [
                "\(meter.meter)", meter.flags.joined(separator: ","), "\(meter.flows)", "\(meter.packets)",
                "\(meter.bytes)",
            ]
            if meter.bands.isEmpty { add(start + ["-", "-", "-", "-"]) }
            for (index, band) in meter.bands.enumerated() {
                let levels = band.precedenceLevels.map { " +\($0)" } ?? ""
                let line = [band.type + levels, "\(band.rate)", "\(band.burst)", "\(band.packets)"]
                add((index == 0 ? start : ["", "", "", "", ""]) + line)
            }
        }
    }
}
