// The command that asks the same.

/** The command. Texts stand in single quotes, where a shell reads nothing. */
export function curlOf(address, parts, withKey) {
  const lines = [`curl ${quoted(address)}`];
  if (withKey) lines.push('-H "Authorization: Bearer $FUSELINE_API_KEY"');
  for (const [name, value] of parts) {
    lines.push(
      value instanceof File
        ? `-F ${quoted(fileOf(name, value))}`
        : `--form-string ${quoted(`${name}=${value}`)}`,
    );
  }
  lines.push("-F probabilities=true -F neighbours=true");
  return lines.join(" \\\n  ");
}

function fileOf(name, file) {
  if (!file.name && !file.size) return `${name}=@/dev/null;filename=`;
  return `${name}=@"${file.name.replace(/["\\]/g, "\\$&")}"`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
