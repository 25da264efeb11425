const {STSClient, GetCallerIdentityCommand} = require("@aws-sdk/client-sts");

const client = new STSClient({});
const end = Date.now() + 1000 * Number(process.argv[2]);

async function work() {
  while (Date.now() < end) {
    console.log("javascript-3", (await client.send(new GetCallerIdentityCommand({}))).Arn);
    await new Promise((done) => setTimeout(done, 500));
  }
}

work().catch((error) => {
  console.error(error);
  process.exit(1);
});
