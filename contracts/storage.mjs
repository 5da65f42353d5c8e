// Where the upgradeable contracts keep their fields, and whether a new version still finds them there.

// Variables outside of an ERC-7201 struct move when a base contract gets one. Contracts without a proxy may have them.
const WITHOUT_PROXY = ["SparkleGovernor", "SparkleTimelock"];

/** The fields of each struct, in order, of the contracts in `files`; throws if one keeps anything elsewhere. */
export function storageLayout(output, files) {
  const structs = {};
  for (const file of files) {
    for (const contract of output.sources[file].ast.nodes.filter((node) => node.nodeType === "ContractDefinition")) {
      for (const struct of contract.nodes.filter((node) => node.nodeType === "StructDefinition")) {
        structs[`${contract.name}.${struct.name}`] = struct.members.map(
          (member) => `${member.typeDescriptions.typeString} ${member.name}`,
        );
      }
      const strays = output.contracts[file][contract.name].storageLayout?.storage ?? [];
      if (strays.length > 0 && !WITHOUT_PROXY.includes(contract.name)) {
        throw new Error(`${contract.name} keeps ${strays.map((stray) => stray.label)} outside of an ERC-7201 struct`);
      }
    }
  }
  return structs;
}

/** The structs of which a field was moved, renamed, retyped or removed. Fields may only be added, at the end. */
export function rearranged(before, after) {
  return Object.keys(before).filter((name) => before[name].some((field, index) => after[name]?.[index] !== field));
}
