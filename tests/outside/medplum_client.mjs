// Calls the service as an application built on Medplum does: discovery, prefetch from the FHIR server, the call.
// Arguments: folder of @medplum/core, base URL of the service, base URL and path of the FHIR server, service id, hook,
// context as JSON. Prints the answer.
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [core, services, fhirBase, fhirPath, id, hook, context] = process.argv.slice(2);
globalThis.WebSocket ??= class {}; // the library names it when it is loaded; Node 20 has none
const { MedplumClient, buildCdsRequest } = await import(pathToFileURL(join(core, 'dist', 'esm', 'index.mjs')).href);
const medplum = new MedplumClient({ baseUrl: fhirBase, fhirUrlPath: fhirPath, cdsServicesUrl: services + '/cds-services' });
const discovered = await medplum.getCdsServices();
const service = discovered.services.find((one) => one.id === id && one.hook === hook);
const user = { resourceType: 'Practitioner', id: 'synthetic-user' };
const request = await buildCdsRequest(medplum, user, service, JSON.parse(context));
const answer = await medplum.callCdsService(service.id, request);
console.log(JSON.stringify({ keys: Object.keys(request.prefetch), answer }));
