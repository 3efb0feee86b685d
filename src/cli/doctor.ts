import { Command } from 'commander';
import { examine } from './doctor/examine.js';
import { isWell, reportJson, reportText } from './doctor/report.js';

interface DoctorOptions {
  config: string;
  envoy?: string[];
  json?: boolean;
  offline?: boolean;
}

/** `countersign doctor -c countersign.yaml --envoy envoy.yaml` */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at a deployment and say what is wrong with it, what follows, and how to mend it')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option(
      '-e, --envoy <file...>',
      "Envoy's configuration: a bootstrap, resources, what /config_dump gives, or Istio's manifests",
    )
    .option('--offline', 'look at files alone, and connect to nothing')
    .option('--json', 'report in JSON')
    .action(async ({ config, envoy = [], json = false, offline = false }: DoctorOptions) => {
      const notebook = await examine({ config, envoy, offline, env: process.env, now: () => Date.now() });
      process.stdout.write(json ? reportJson(notebook) : reportText(notebook));
      if (!isWell(notebook.findings)) process.exitCode = 1;
    });
}
