"""What every feature may import: errors, ids, clock, wire structs, events, REST declarations, ports. No I/O."""
