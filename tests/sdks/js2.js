const STS = require("aws-sdk/clients/sts");

const client = new STS({endpoint: process.env.AWS_ENDPOINT_URL});
const end = Date.now() + 1000 * Number(process.argv[2]);

async function work() {
  while (Date.now() < end) {
    console.log("javascript-2", (await client.getCallerIdentity().promise()).Arn);
    await new Promise((done) => setTimeout(done, 500));
  }
}

work().catch((error) => {
  console.error(error);
  process.exit(1);
});
