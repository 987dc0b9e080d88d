// Instructions as bytes (OpenFlow 1.3.5 §7.2.4 / A.2.4).

extension Instruction {
    /// One instruction and its padding.
    ///
    /// Throws errors of type OFPET_BAD_INSTRUCTION: BAD_LEN, UNKNOWN_INST, BAD_EXPERIMENTER for any experimenter's;
    /// and those of the actions in it.
    init(from reader: inout WireReader) throws(OpenFlowError) {
        guard let rawType = reader.peek(UInt16.self), let length = reader.peek(UInt16.self, at: 2) else {
            throw .badInstruction(.badLength, "instruction: \(reader.remaining) bytes left, 4 wanted")
        }
        guard length >= 8, length % 8 == 0 else { throw .badInstruction(.badLength, "instruction length \(length)") }
        guard let type = InstructionType(rawValue: rawType) else {
            throw .badInstruction(.unknownInstruction, "instruction type \(rawType)")
        }
        var body = try reader.slice(Int(length), scope: .instruction)
        try body.pad(4)
        switch type {
        case .gotoTable:
            self = try .gotoTable(body.read())
            try body.pad(3)
        case .writeMetadata:
            try body.pad(4)
            self = try .writeMetadata(value: body.read(), mask: body.read())
        case .writeActions:
            self = try .writeActions(Self.actions(from: &body))
        case .applyActions:
            self = try .applyActions(Self.actions(from: &body))
        case .clearActions:
            try body.pad(4)
            self = .clearActions
        case .meter:
            self = try .meter(body.read())
        case .experimenter:
            let experimenter: UInt32 = try body.read()
            throw .badInstruction(.badExperimenter, "instruction of experimenter \(Text.hex(experimenter))")
        }
        try body.expectEnd()
    }

    private static func actions(from body: inout WireReader) throws(OpenFlowError) -> [Action] {
        try body.pad(4)
        var list = try body.slice(body.remaining, scope: .action)
        return try list.readActions()
    }

    func write(to writer: inout WireWriter) {
        writer.write(type.rawValue)
        writer.lengthPrefixed(after: 2, alignment: 8) { writer in
            switch self {
            case .gotoTable(let table):
                writer.write(table)
            case .writeMetadata(let value, let mask):
                writer.pad(4)
                writer.write(value)
                writer.write(mask)
            case .writeActions(let actions), .applyActions(let actions):
                writer.pad(4)
                writer.write(actions)
            case .clearActions:
                writer.pad(4)
            case .meter(let meter):
                writer.write(meter)
            }
        }
    }

    /// The instruction's type on the wire.
    package var type: InstructionType {
        switch self {
        case .gotoTable: .gotoTable
        case .writeMetadata: .writeMetadata
        case .writeActions: .writeActions
        case .applyActions: .applyActions
        case .clearActions: .clearActions
        case .meter: .meter
        }
    }
}

extension WireReader {
    /// Instructions up to the end.
    ///
    /// Two of one type are refused with OFPBIC_UNSUP_INST: an instruction set has one of each at most (OpenFlow 1.3.5
    /// §5.9), and 1.3 has no code of its own for that (OFPBIC_DUP_INST came with 1.4).
    mutating func readInstructions() throws(OpenFlowError) -> [Instruction] {
        var instructions: [Instruction] = []
        var seen: UInt8 = 0
        while !isAtEnd {
            let instruction = try Instruction(from: &self)
            let bit: UInt8 = 1 << UInt8(truncatingIfNeeded: instruction.type.rawValue)
            guard seen & bit == 0 else {
                throw .badInstruction(.unsupportedInstruction, "instruction type \(instruction.type.rawValue) twice")
            }
            seen |= bit
            instructions.append(instruction)
        }
        return instructions
    }
}

extension WireWriter {
    mutating func write(_ instructions: [Instruction]) {
        for instruction in instructions {
            instruction.write(to: &self)
        }
    }
}
